"""Variables that callbacks make while a training step is traced."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf


def variable_beside_tracing(value: Any, shape: Any = None) -> tf.Variable:
    """Return a variable that outlives the graph which is being traced.

    TensorFlow traces a function a second time if a variable was made during the first; for an unrolled network that
    costs seconds. It cannot see one that is made in another thread.

    Args:
        value: Array. The initial value.
        shape: The shape of all later values; that of `value` by default.
    """
    with ThreadPoolExecutor(1) as other_thread:
        return other_thread.submit(tf.Variable, value, trainable=False, shape=shape).result()
