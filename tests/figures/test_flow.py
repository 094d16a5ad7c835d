"""The pictures of gradients through time: what is drawn, and what is said."""

import numpy as np
import pytest

from kerasunroll.figures.flow import NORM_RANGE, comparison_figure, describe_difference, flow_heatmap
from kerasunroll.figures.flow_history import FlowHistory, load_histories, save_histories


def history(layer="lstm_1", norms=((1e-3, 1e-2), (1e-4, 1e-1)), quantities=("h", "x")) -> FlowHistory:
    norms = np.array(norms)
    return FlowHistory(
        layer=layer,
        training_steps=np.arange(1, 10 * len(norms), 10),
        norms=dict.fromkeys(quantities, norms),
        masked=np.zeros_like(norms),
    )


def test_a_heatmap_shows_time_step_by_training_step_on_a_fixed_scale():
    figure = flow_heatmap(history())
    panels = figure.axes[:2]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "‖dL/dh$_t$‖, mean over the batch",
        "‖dL/dx$_t$‖, mean over the batch",
    ]
    assert [axes.get_ylabel() for axes in panels] == ["time step t"] * 2
    assert panels[1].get_xlabel() == "training step"
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["1", "11"]
    for axes in panels:
        image = axes.collections[0]
        np.testing.assert_allclose(image.get_array(), [[1e-3, 1e-4], [1e-2, 1e-1]])
        assert (image.norm.vmin, image.norm.vmax) == NORM_RANGE
    assert [axes.get_ylabel() for axes in figure.axes[2:]] == ["norm"] * 2


def test_nan_zero_and_masked_are_told_apart():
    shown = FlowHistory(
        layer="gru",
        training_steps=np.array([1]),
        norms={"h": np.array([[np.nan, 0.0, 1.0, np.nan]])},
        masked=np.array([[0.0, 0.0, 0.5, 1.0]]),
    )
    norms, gone = flow_heatmap(shown).axes[0].collections
    assert norms.get_array().mask[:, 0].tolist() == [True, False, False, True]
    assert 0 < norms.get_array()[1, 0] < NORM_RANGE[0]
    assert gone.get_array().mask[:, 0].tolist() == [True, True, True, False]


def test_one_quantity_can_be_drawn():
    assert len(flow_heatmap(history(), quantities=["h"]).axes) == 2


def test_the_comparison_names_the_largest_difference():
    other = history(norms=((1e-3, 1.02e-2), (5.0, 5.0)))
    figure = comparison_figure({"loop": [history()], "full": [other]}, {"loop": "#0072b2", "full": "#d55e00"})
    assert figure.axes[0].get_title(loc="left") == (
        "lstm_1: largest difference 2.0e-02 of the norm (full against loop, t = 1)"
    )
    assert [line.get_label() for line in figure.axes[0].lines] == ["loop", "full"]
    assert [line.get_color() for line in figure.axes[0].lines] == ["#0072b2", "#d55e00"]
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), [1e-3, 1.02e-2])


HALF = "largest difference 5.0e-01 of the norm"


HALF = "largest difference 5.0e-01 of the norm"


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ({"loop": [1.0, 2.0], "full": [1.0, 2.0]}, "no difference, to the last bit"),
        ({"loop": [1.0, np.nan], "full": [1.5, np.nan]}, f"{HALF} (full against loop, t = 0)"),
        ({"loop": [1.0, 2.0], "full": [1.0, 2.0], "k4": [1.0, 3.0]}, f"{HALF} (k4 against loop, t = 1)"),
        ({"loop": [np.nan], "full": [np.nan]}, "no time step at which all settings have a gradient"),
        ({"loop": [1.0]}, "one setting only"),
    ],
)
def test_difference_in_words(curves, words):
    assert describe_difference({name: np.array(curve) for name, curve in curves.items()}) == words


def test_histories_are_kept_as_a_file(tmp_path):
    written = [history("a/b", quantities=("h", "c", "x")), history("second")]
    save_histories(written, tmp_path)
    read = load_histories(tmp_path)
    assert [each.layer for each in read] == ["a/b", "second"]
    for before, after in zip(written, read, strict=True):
        assert list(after.norms) == list(before.norms)
        np.testing.assert_array_equal(after.norms["h"], before.norms["h"])
        np.testing.assert_array_equal(after.training_steps, before.training_steps)
        np.testing.assert_array_equal(after.masked, before.masked)


def test_a_run_without_histories_has_none(tmp_path):
    assert load_histories(tmp_path) == []
