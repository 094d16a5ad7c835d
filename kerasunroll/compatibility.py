"""What differs between the versions of Keras that kerasunroll runs with: one function per difference.

Each says which version brought the difference, and is asked by its effect, not by a number: a difference may be taken
back, or come into an older version. The versions that are tried stand in docs/compatibility.md.
"""

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras.src import backend


def keras_rnn() -> Callable[..., Any]:
    """Return the function of Keras that takes a step function through time.

    Up to Keras 3.15 it is `keras.src.backend.rnn`; from Keras 3.16 on that is a module with the function in it.
    """
    rnn: Callable[..., Any] = backend.rnn.rnn if isinstance(backend.rnn, ModuleType) else backend.rnn
    return rnn


def is_rematerialised(layer: Any) -> bool:
    """Tell whether a layer was made in a `keras.RematScope`, which Keras 3.9 brought."""
    return getattr(layer, "_remat_mode", None) is not None


def trained_variables(optimizer: Any) -> list[Any]:
    """Return the variables that a built optimiser was built for.

    A `LossScaleOptimizer` (the policy mixed_float16) keeps a list of its own from Keras 3.12 on, up to 3.10 an empty
    one; the optimiser that it wraps has it in every version.
    """
    variables: list[Any] = _inner(optimizer)._trainable_variables
    return variables


def updates_done(optimizer: Any) -> int:
    """Return how often an optimiser has updated the weights.

    Up to Keras 3.9 a `LossScaleOptimizer` stays at 0; the optimiser that it wraps counts in every version.
    """
    return int(_inner(optimizer).iterations.numpy())


def last_batch(model: keras.Model, began: int, ended: int, in_epoch: int | None) -> int:
    """Return the index of the last training step of an execution, of which `steps_per_execution` run together.

    From Keras 3.11 on `on_train_batch_end` is told it; up to 3.10 it is told the first one's again.

    Args:
        model: A compiled Keras model.
        began: Integer. What `on_train_batch_begin` was told.
        ended: Integer. What `on_train_batch_end` was told.
        in_epoch: Integer or `None`. The training steps of an epoch, if known: the last execution may be shorter.
    """
    together = getattr(model, "steps_per_execution", 1)
    if together == 1 or ended != began:
        return ended
    last = began + together - 1
    return last if in_epoch is None else min(last, in_epoch - 1)


def _inner(optimizer: Any) -> Any:
    return getattr(optimizer, "inner_optimizer", optimizer)


def is_masked(tensor: Any) -> bool:
    """Tell whether a tensor, symbolic or not, carries a mask to the next layer."""
    return getattr(tensor, "_keras_mask", None) is not None


def mask_stops(layer: Any) -> bool:
    """Tell whether a recurrent layer or a `Bidirectional` that returns all time steps keeps its mask to itself.

    Up to Keras 3.15 it passes the mask on, to the next layer and to the loss. Keras 3.16 (pull request 23235) sets
    `supports_masking=False` on `RNN` and `Bidirectional`, unless it is set back on the layer.
    """
    return bool(layer.return_sequences) and not layer.supports_masking


def told_where_masks_stop(names: Sequence[str]) -> str:
    """Return the sentence for a user whose mask stops at these layers."""
    return (
        f"The mask stops at {', '.join(map(repr, names))}: recurrent layers of Keras {keras.__version__} pass none on. "
        "What follows counts masked time steps, and so does a loss over all time steps, in every setting. To have it "
        "passed on, set supports_masking = True on the layer."
    )


@cache
def unrolls_masked_backwards_wrongly() -> bool:
    """Tell whether Keras's `unroll=True` zeroes the wrong time steps: masked, backwards, all time steps returned.

    No version is known that does not; docs/keras_masked_backwards_unroll.py explains it. Found by trying it once, on
    one unit and two time steps of which the last is masked.
    """
    x, mask = np.ones((1, 2, 1), "float32"), np.array([[True, False]])
    options = {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True}
    initializers = dict.fromkeys(("kernel_initializer", "recurrent_initializer"), "ones")
    loop, unrolled = (
        keras.layers.SimpleRNN(1, unroll=unroll, dtype="float32", **options, **initializers)(x, mask=mask)
        for unroll in (False, True)
    )
    return not np.allclose(loop, unrolled)
