import subprocess
import sys

import numpy as np

from kerasunroll.inspection.gradients.norms import reduce_over_batch


def test_masked_samples_are_left_out():
    norms = np.array([[1.0, 5.0, 0.0], [3.0, 0.0, 0.0]])
    unmasked = np.array([[True, True, False], [True, False, False]])
    found = reduce_over_batch(norms, unmasked, per_sample=True)
    np.testing.assert_array_equal(found.mean, [2, 5, np.nan])
    np.testing.assert_array_equal(found.min, [1, 5, np.nan])
    np.testing.assert_array_equal(found.max, [3, 5, np.nan])
    np.testing.assert_array_equal(found.per_sample, [[1, 5, np.nan], [3, np.nan, np.nan]])


def test_nan_and_inf_of_a_sample_show():
    norms = np.array([[np.nan, np.inf], [1.0, 1.0]])
    found = reduce_over_batch(norms, np.ones((2, 2), bool))
    np.testing.assert_array_equal(found.mean, [np.nan, np.inf])
    np.testing.assert_array_equal(found.min, [np.nan, 1.0])
    assert found.per_sample is None


def test_nan_of_a_masked_sample_does_not():
    norms = np.array([[np.nan], [1.0]])
    assert reduce_over_batch(norms, np.array([[False], [True]])).mean == [1.0]


def test_summaries_load_without_tensorflow():
    code = (
        "import sys; from kerasunroll.inspection import gradient_flow_summary, GradientsThroughTime; "
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_public_names_are_functions_whatever_was_imported_before():
    from kerasunroll import inspection

    for name in inspection.__all__:
        assert callable(getattr(inspection, name)), name
    assert set(inspection.__all__) <= set(dir(inspection))
