"""Counting the bytes of one variant's tensors inside a worker. Imports TensorFlow, so only workers import it."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasunroll.callbacks.device_memory import DeviceMemory, fullest
from kerasunroll.errors import RunError
from kerasunroll.measurement.stages.memory import peak_figures
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.outputs import probe_outputs, save_outputs
from kerasunroll.training.session import prepare


def tensor_bytes(
    config: TrainingConfig,
    folder: str | Path,
    *,
    on_phase: Callable[[str], None] = lambda phase: None,  # noqa: ARG005
) -> dict[str, int]:
    """Count the bytes of tensors in a training step and in a forward pass; write the network's outputs.

    The training step is the third one on the same batch: the first is traced and makes the optimiser's slots. On a GPU
    the bytes are those on the first one, elsewhere those on the CPU.

    Args:
        config: `TrainingConfig`.
        folder: Path. Gets the outputs before and after the three training steps, see `save_outputs`.
        on_phase: Called with `"compile"` and `"forward"` as they begin.

    Returns:
        A dict:

        - `tensor_peak_bytes`: the most at any moment of the training step;
        - `tensor_alive_bytes`: of them, those that were there before it: the weights, the optimiser's slots, the
          state of the metrics, the batch, the constants of the compiled graphs;
        - `tensor_added_bytes`: of them, what the training step added: activations, gradients;
        - `tensor_inference_peak_bytes`: the most at any moment of a forward pass in inference, what was there before
          it included;
        - `tensor_peak_gpu_0_bytes`, ...: the first figure for each GPU, where there are several; the others are then
          those of the GPU that is the fullest.

    Raises:
        RunError: If TensorFlow does not count them all, for want of an environment variable.
    """
    session = prepare(config)
    model, source = session.model, session.source
    memory = DeviceMemory(model)
    if not memory.devices:
        raise RunError("TensorFlow counts all tensors only where TF_CPU_ALLOCATOR_USE_BFC=true was set before.")
    before = probe_outputs(session)
    # One batch that lies ready, rather than the whole data, which would count as alive.
    with tf.device("CPU:0"):
        arrays = tf.nest.map_structure(tf.constant, source.batch(config.batch_size))
        batch = tf.data.Dataset.from_tensors(arrays)
    on_phase("compile")
    model.fit(batch, shuffle=False, verbose=0)
    batches = iter(model.distribute_strategy.experimental_distribute_dataset(batch.repeat()))
    model.train_function(batches)
    alive, peaks = _counted(lambda: model.train_function(batches), memory)
    after = probe_outputs(session)
    on_phase("forward")
    model.make_predict_function()
    inputs = [next(batches)[:1]]
    for _ in range(2):
        model.predict_function(inputs)
    _, inference_peaks = _counted(lambda: model.predict_function(inputs), memory)
    save_outputs(folder, before, after)
    first_full = fullest(peaks)
    return {
        "tensor_peak_bytes": peaks[first_full],
        "tensor_alive_bytes": alive[first_full],
        "tensor_added_bytes": peaks[first_full] - alive[first_full],
        "tensor_inference_peak_bytes": max(inference_peaks.values()),
        **peak_figures(peaks if len(peaks) > 1 else {}),
    }


def _counted(work: Callable[[], Any], memory: DeviceMemory) -> tuple[dict[str, int], dict[str, int]]:
    """Return the bytes of tensors before some work, and the most during it, on each device."""
    gc.collect()
    alive = memory.reset()
    results = work()
    # On a GPU the call returns before the work is done; reading the results waits for it.
    tf.nest.map_structure(lambda result: result.numpy(), results)
    return alive, memory.peaks()
