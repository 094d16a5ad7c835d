"""The devices of one machine over which a training run is spread, and the threads of its CPU."""

from typing import Any

import tensorflow as tf

from kerasunroll.errors import InputError, RunError
from kerasunroll.training.threads import Threads


def use_threads(threads: Threads | None) -> None:
    """Have TensorFlow run on so many threads. It must come before TensorFlow has started its devices.

    These numbers go before environment variables such as `TF_NUM_INTRAOP_THREADS`. oneDNN and XLA take their threads
    from the same pool, so that there is nothing else to be set.

    Args:
        threads: `Threads`, or `None` for TensorFlow's own choice.

    Raises:
        RunError: If TensorFlow has started its devices already, with others.
    """
    if threads is None:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads.intra)
        if threads.inter is not None:
            tf.config.threading.set_inter_op_parallelism_threads(threads.inter)
    except RuntimeError as error:
        raise RunError(
            f"TensorFlow cannot be given other threads ({threads}) any more, because it has been used before in this "
            "process. Do so first of all, or start a new process."
        ) from error


def strategy_for(devices: int | None) -> Any:
    """Return the `tf.distribute` strategy under which a model is to be built; enter its `scope()` to do so.

    Keras's own `keras.distribution` does nothing on TensorFlow, so that it is `tf.distribute.MirroredStrategy`: every
    device holds all weights, and computes the gradient of its equal share of each batch.

    Args:
        devices: Integer, at least 2, or `None` for one device and no strategy. Without a GPU, the CPU is divided into
            so many logical ones, which must come before TensorFlow has started its devices.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        InputError: If there are fewer GPUs.
        RunError: If TensorFlow has started its devices already, and the CPU is not divided into enough.
    """
    if devices is None:
        return tf.distribute.get_strategy()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < devices:
        raise InputError(f"TensorFlow sees {len(gpus)} GPU(s) here, got distribute={devices}. Take fewer devices.")
    if not gpus:
        _divide_cpu(devices)
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(devices)])


def _divide_cpu(devices: int) -> None:
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < devices:
            raise RunError(
                f"The CPU cannot be divided into {devices} logical devices any more, because TensorFlow has been used "
                "before in this process. Do so first of all, or start a new process."
            ) from error
