"""Models that are sent to another process: there, they are what they were, and train on as they would have."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from kerasunroll.errors import RunError
from kerasunroll.models.shipping.pickles import read_pickled

sys.path.insert(0, str(Path(__file__).parent))
from shipped_models import MODELS, data


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    script = Path(__file__).parent / "shipped_models.py"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_it_computes_the_same_and_trains_on(shipped, name, unroll):
    x, y = data()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The setting of .* is not saved")
        model = read_pickled(shipped / f"{name}.pkl").build(unroll)
    with np.load(shipped / f"{name}.npz") as expected:
        tolerance = {"rtol": 2e-2, "atol": 2e-2} if name == "mixed" else {"rtol": 1e-5, "atol": 1e-6}
        np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), expected["before"], **tolerance)
        # With the optimiser's slots and its number of training steps, the schedule's rate and the frozen layers.
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), expected["after"], **tolerance)
        assert not np.allclose(expected["before"], expected["after"], rtol=1e-4)


def test_a_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"cannot be read from '.*model\.pkl'"):
        read_pickled(tmp_path / "model.pkl")
