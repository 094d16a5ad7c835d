"""What is light must stay light: looking at settings, records and results does not load TensorFlow."""

import subprocess
import sys
from importlib.resources import files

import pytest

import kerasunroll

LIGHT = [
    "import kerasunroll; kerasunroll.__version__",
    "import kerasunroll.errors, kerasunroll.units, kerasunroll.settings, kerasunroll.tasks",
    "from kerasunroll.models import StackConfig; StackConfig(cell='lstm', input_shape=(4, 1))",
    "import kerasunroll.training.config",
    "import kerasunroll.callbacks.sinks",
    "import kerasunroll.inspection, kerasunroll.figures.flow, kerasunroll.figures.states, kerasunroll.figures.diagram",
    "import kerasunroll.measurement.comparison, kerasunroll.measurement.records.store",
    "import kerasunroll.measurement.statistics.rounds",
    "import kerasunroll.report.tables.comparison, kerasunroll.report.results, kerasunroll.report.page.pictures",
    "import kerasunroll.advice; kerasunroll.advise",
    "import kerasunroll.report.tensorboard",
    "import kerasunroll.report.page.page, kerasunroll.report.verdict.text, kerasunroll.report.run",
    "from kerasunroll.data import open_source; open_source('digits')",
    "from kerasunroll.cli import main; main(['--help'])",
    "from kerasunroll.cli import main; main(['compare', '--help'])",
]


@pytest.mark.parametrize("program", LIGHT)
def test_nothing_heavy_is_loaded(program):
    look = (
        "import sys, contextlib\n"
        f"with contextlib.suppress(SystemExit):\n    {program}\n"
        "heavy = sorted({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'mlflow'})\n"
        "print('loaded:', heavy)"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_every_public_name_is_there():
    for name in kerasunroll.__all__:
        assert getattr(kerasunroll, name) is not None
    assert set(kerasunroll.__all__) <= set(dir(kerasunroll))
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = kerasunroll.unknown


def test_types_ship():
    assert (files("kerasunroll") / "py.typed").is_file()
