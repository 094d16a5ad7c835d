"""Keras's TensorBoard callback, where it is known to lose something."""

import pytest
from small import compiled, data, fit, stack

from kerasunroll.callbacks import MetricsLogger


@pytest.mark.parametrize("update_freq", ["epoch", "batch", 4, 1000])
def test_every_epoch_is_logged_whatever_the_frequency(tmp_path, events, update_freq):
    """Keras alone loses the epochs whose last training step is not a multiple of `update_freq`."""
    callback = MetricsLogger(tmp_path, update_freq=update_freq)
    fit(compiled(stack()), [callback], batches=3, epochs=4, validation_data=data(2))
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for run in (train, validation):
        for tag in ("epoch_loss", "epoch_accuracy"):
            assert list(run.scalars(tag)) == [0, 1, 2, 3]
    assert list(validation.scalars("evaluation_loss_vs_iterations")) == [3, 6, 9, 12]
    batches = {"epoch": [], "batch": list(range(1, 13)), 4: [4, 8, 12], 1000: []}[update_freq]
    assert (list(train.scalars("batch_loss")) if "batch_loss" in train.tags else []) == batches


def test_a_second_fit_goes_on(tmp_path, events):
    model = compiled(stack())
    callback = MetricsLogger(tmp_path, update_freq=2)
    for _ in range(2):
        fit(model, [callback], batches=3, epochs=2)
    assert list(events(tmp_path / "train").scalars("epoch_loss")) == [0, 1, 2, 3]
