"""The state pictures."""

import numpy as np
import pytest
from small import compiled, data, fit, stack

from kerasunroll.callbacks import StateLogger
from kerasunroll.errors import InputError
from kerasunroll.figures.states import state_heatmap


def test_states_are_shown_before_and_after_training(tmp_path, events):
    x, _ = data(1)
    fit(compiled(stack()), [StateLogger(tmp_path, x[:1])], epochs=2)
    logged = events(tmp_path / "train")
    for layer in ("lstm_1", "lstm_2"):
        training_steps = [event.step for event in logged._events.Tensors(f"state/{layer}")]
        assert training_steps[0] == 0
        assert training_steps[-1] == 12
        assert logged.png(f"state/{layer}").startswith(b"\x89PNG")


def test_a_heatmap_shows_the_values_unit_by_time_step():
    h = np.arange(6.0).reshape(1, 3, 2) / 10
    unmasked = np.array([[True, True, False]])
    figure = state_heatmap("rnn", {"h": h}, unmasked)
    (image,) = figure.axes[0].images
    shown = image.get_array()
    np.testing.assert_allclose(shown[:, :2], [[0.0, 0.2], [0.1, 0.3]])
    assert shown.mask[:, 2].all()
    assert figure.axes[0].get_xlabel() == "time step t"
    assert figure.axes[0].get_ylabel() == "unit"


def test_inputs_of_another_shape_are_refused(tmp_path):
    with pytest.raises(InputError, match="shape"):
        fit(compiled(stack()), [StateLogger(tmp_path, np.ones((1, 3, 7)), strict=True)])
