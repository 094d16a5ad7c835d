"""TimeLogger, MemoryLogger and MetricsLogger."""

import os
import subprocess
import sys

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf
from small import compiled, fit, stack

from kerasunroll.callbacks import MemoryLogger, MetricsLogger, TimeLogger
from kerasunroll.errors import InputError, KerasunrollWarning


def test_times_are_logged_apart(tmp_path, events):
    callback = TimeLogger(tmp_path, update_freq=2)
    fit(compiled(stack()), [callback])
    logged = events(tmp_path / "train")
    # The first training step was traced and compiled, so it is no ordinary one.
    assert len(callback.step_seconds) == 5
    assert list(logged.scalars("time/step_seconds")) == [2, 4, 6]
    assert list(logged.scalars("time/trace_seconds")) == list(logged.scalars("time/compile_seconds")) == [2]
    assert logged.scalars("time/trace_seconds")[2] == pytest.approx(callback.trace_seconds)


def test_a_call_of_several_training_steps_is_divided(tmp_path):
    callback = TimeLogger(tmp_path)
    seen = []
    model = compiled(stack(), steps_per_execution=3)
    fit(model, [callback], batches=6, epochs=2)
    model.train_function.listeners.append(seen.append)
    fit(model, [callback], batches=6)
    assert callback.step_seconds == [call.seconds / 3 for call in seen]


def test_a_listener_is_gone_after_training(tmp_path):
    model = compiled(stack())
    fit(model, [TimeLogger(tmp_path)])
    assert model.train_function.listeners == []


def test_the_tensor_peak_holds_at_least_the_activations(tmp_path, events):
    timesteps, units, batch = 20, 64, 32
    model = keras.Sequential([keras.Input((timesteps, 8)), keras.layers.LSTM(units)])
    model.compile("sgd", "mse")
    x, y = np.ones((2 * batch, timesteps, 8), "float32"), np.ones((2 * batch, units), "float32")
    callback = MemoryLogger(tmp_path, update_freq=1)
    model.fit(x, y, batch_size=batch, verbose=0, callbacks=[callback])
    logged = events(tmp_path / "train").scalars("memory/tensor_peak_bytes")
    assert callback.peak_bytes == max(logged.values())
    # Backpropagation needs at least the state and the four gates of every time step, in float32.
    assert min(logged.values()) > timesteps * batch * units * 5 * 4
    assert max(logged.values()) < 100e6


def test_what_the_user_holds_is_alive_and_not_added(tmp_path, events):
    model, callback = compiled(stack()), MemoryLogger(tmp_path)
    fit(model, [callback], batches=2)
    peak, alive = callback.peak_bytes, callback.alive_bytes
    held = tf.random.uniform((2_000_000,))
    size = 4 * held.shape[0]
    fit(model, [callback], batches=2)
    # TensorFlow's allocator gives up to twice what is asked for; what other tests left behind may go meanwhile.
    assert 0.9 * size < callback.alive_bytes - alive < 2 * size
    assert abs((callback.peak_bytes - callback.alive_bytes) - (peak - alive)) < 0.1 * size
    logged = events(tmp_path / "train").scalars("memory/tensor_alive_bytes")
    assert list(logged.values()) == [alive, callback.alive_bytes]


def test_process_bytes_are_those_of_this_process(tmp_path, events):
    fit(compiled(stack()), [MemoryLogger(tmp_path)])
    (logged,) = events(tmp_path / "train").scalars("memory/process_bytes").values()
    assert logged == pytest.approx(psutil.Process().memory_info().rss, rel=0.3)


def test_an_incomplete_counter_is_not_logged_and_said_once(tmp_path, events, monkeypatch):
    monkeypatch.delenv("TF_CPU_ALLOCATOR_USE_BFC")
    model, callback = compiled(stack()), MemoryLogger(tmp_path)
    with pytest.warns(KerasunrollWarning, match="set TF_CPU_ALLOCATOR_USE_BFC=true before TensorFlow is imported"):
        fit(model, [callback])
    fit(model, [callback])  # a second warning would be an error here
    assert callback.peak_bytes is None
    assert events(tmp_path / "train").tags == {"memory/process_bytes"}


def test_the_counter_is_incomplete_without_the_variable():
    """The fact that the warning rests on: 40 kB of tensors go uncounted."""
    program = (
        "import tensorflow as tf; x = tf.random.normal((1000, 10)); y = x + 1;"
        "print(tf.config.experimental.get_memory_info('CPU:0')['current'])"
    )
    env = {**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": "false"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 40_000


@pytest.mark.parametrize("logger", [TimeLogger, MemoryLogger])
@pytest.mark.parametrize("update_freq", [0, "sometimes", 2.5])
def test_a_nonsense_frequency_is_refused(tmp_path, logger, update_freq):
    with pytest.raises(InputError, match="update_freq"):
        logger(tmp_path, update_freq)


def test_metrics_of_a_second_fit_go_on(tmp_path, events):
    model, callback = compiled(stack()), MetricsLogger(tmp_path, update_freq=1)
    fit(model, [callback], batches=3, epochs=2)
    fit(model, [callback], batches=3, epochs=2)
    logged = events(tmp_path / "train")
    assert list(logged.scalars("epoch_loss")) == [0, 1, 2, 3]
    assert list(logged.scalars("batch_loss")) == list(range(1, 13))


def test_metrics_follow_an_initial_epoch_of_the_caller(tmp_path, events):
    model, callback = compiled(stack()), MetricsLogger(tmp_path)
    fit(model, [callback], epochs=2)
    fit(model, [callback], epochs=4, initial_epoch=2)
    assert list(events(tmp_path / "train").scalars("epoch_loss")) == [0, 1, 2, 3]
