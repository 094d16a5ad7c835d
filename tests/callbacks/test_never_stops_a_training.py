"""A logger that fails says so once, and the training goes on as it would have gone without it."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small import CLASSES, F, T, compiled, data, fit, stack

from kerasunroll.callbacks import (
    GradientFlowLogger,
    GradientNormLogger,
    GraphLogger,
    MemoryLogger,
    MetricsLogger,
    StateLogger,
    TimeLogger,
    comparison_callbacks,
)
from kerasunroll.errors import InputError, KerasunrollWarning

LOGGERS = {
    "metrics": MetricsLogger,
    "memory": MemoryLogger,
    "gradient norms": GradientNormLogger,
    "time": TimeLogger,
    "graph": GraphLogger,
    "gradient flow": GradientFlowLogger,
    "states": lambda folder, **options: StateLogger(folder, data(1)[0][:1], **options),
}


def said(caught) -> list[str]:
    return [str(warning.message) for warning in caught if warning.category is KerasunrollWarning]


@pytest.mark.parametrize("logger", LOGGERS)
def test_a_folder_that_cannot_be_made_turns_a_logger_off(tmp_path, logger):
    (tmp_path / "file").write_text("a file stands where the folder should be")
    plain, logged = compiled(stack()), compiled(stack())
    fit(plain, [], epochs=2)
    with pytest.warns(KerasunrollWarning) as caught:
        fit(logged, [LOGGERS[logger](tmp_path / "file")], epochs=2)
    (message,) = said(caught)
    assert "no longer logged" in message
    assert "the training goes on" in message
    assert str(tmp_path / "file") in message
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_strict_raises(tmp_path):
    (tmp_path / "file").write_text("a file stands where the folder should be")
    with pytest.raises(OSError, match="file"):
        fit(compiled(stack()), comparison_callbacks(tmp_path / "file", strict=True))


FULL_DISK = """
import os, resource, sys
sys.path[:0] = [{here!r}]
import warnings
from small import compiled, fit, stack
from kerasunroll.callbacks import GradientNormLogger, MetricsLogger
# No file may grow beyond this: to a writer, the disk is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
model = compiled(stack())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit(model, [MetricsLogger({folder!r}, 1), GradientNormLogger({folder!r})], batches=40)
print(int(model.optimizer.iterations.numpy()), [str(each.message) for each in caught])
"""


def test_a_disk_that_fills_up_does_not_stop_a_training(tmp_path):
    program = FULL_DISK.format(here=str(Path(__file__).parent), folder=str(tmp_path / "run"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    training_steps, messages = done.stdout.strip().splitlines()[-1].split(" ", 1)
    assert training_steps == "40"
    assert messages.count("no longer logged") == 2
    assert "File too large" in messages


def test_a_model_without_recurrent_layers_is_logged_as_far_as_it_goes(tmp_path, events):
    model = keras.Sequential([keras.Input((T, F)), keras.layers.Flatten(), keras.layers.Dense(CLASSES, name="d")])
    with pytest.warns(KerasunrollWarning) as caught:
        fit(compiled(model), comparison_callbacks(tmp_path, update_freq=1))
    (message,) = said(caught)
    assert message.startswith("Gradients through time are no longer logged")
    assert "has no recurrent layer" in message
    tags = events(tmp_path / "train").tags
    assert {"batch_loss", "gradient_norm/d/kernel", "memory/process_bytes", "time/step_seconds"} <= tags
    assert "graph/training_step_nodes" in tags


def test_callbacks_begin_anew_with_a_second_model(tmp_path, events):
    """As in a loop over models: nothing of the first is in what is logged of the second."""
    callbacks = comparison_callbacks(tmp_path / "shared", update_freq=1, states_of=data(1)[0][:1], strict=True)
    first, second = compiled(stack(units=2)), compiled(stack(unroll=True))
    alone = comparison_callbacks(tmp_path / "alone", update_freq=1, states_of=data(1)[0][:1], strict=True)
    fit(first, callbacks, batches=4)
    fit(second, callbacks, batches=2)
    fit(compiled(stack(unroll=True)), alone, batches=2)
    shared_flow, flow = (next(c for c in each if isinstance(c, GradientFlowLogger)) for each in (callbacks, alone))
    assert [list(each.training_steps) for each in shared_flow.history] == [[1], [1]]
    for ours, expected in zip(shared_flow.history, flow.history, strict=True):
        np.testing.assert_allclose(ours.norms["h"], expected.norms["h"], rtol=1e-5)
    train = events(tmp_path / "shared" / "train")
    norms = train.all_scalars("gradient_norm/global")
    assert [step for step, _ in norms] == [1, 2, 3, 4, 1, 2]
    expected = events(tmp_path / "alone" / "train").all_scalars("gradient_norm/global")
    assert norms[4:] == [(step, pytest.approx(value, rel=1e-5)) for step, value in expected]
    assert [step for step, _ in train.all_scalars("epoch_loss")] == [0, 0]
    note = train.text("note")
    assert f"Model '{first.name}' wrote into this folder before" in note
    assert f"here begins model '{second.name}'" in note


def test_a_model_that_comes_back_begins_anew_too(tmp_path, events):
    callbacks = [MetricsLogger(tmp_path), GradientNormLogger(tmp_path)]
    models = [compiled(stack()), compiled(stack())]
    for model in (*models, models[0]):
        fit(model, callbacks, batches=2)
    logged = events(tmp_path / "train").all_scalars("gradient_norm/global")
    assert [step for step, _ in logged] == [1, 2, 1, 2, 3, 4]


class InterruptedOnce(keras.callbacks.Callback):
    interrupted = False

    def on_train_batch_end(self, batch, logs=None):
        if batch == 3 and not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt


def test_fit_again_after_an_interrupt_goes_on(tmp_path, events):
    model, interrupt = compiled(stack()), InterruptedOnce()
    callbacks = [*comparison_callbacks(tmp_path, update_freq=1, strict=True), interrupt]
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks)
    fit(model, callbacks)
    train = events(tmp_path / "train")
    assert list(train.scalars("batch_loss")) == list(range(1, 11))
    assert list(train.scalars("gradient_norm/global")) == list(range(1, 11))
    assert model.train_function.listeners == []


def test_a_nonsense_frequency_is_refused_at_once(tmp_path):
    """What the user wrote wrong is an error, before any training."""
    with pytest.raises(InputError, match="got 0"):
        comparison_callbacks(tmp_path, update_freq=0)
    assert list(tmp_path.iterdir()) == []
