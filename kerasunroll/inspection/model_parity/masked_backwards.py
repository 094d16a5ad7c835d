"""Find the layers that Keras's unrolling gets wrong: masked, backwards, with zeros for what is masked.

Keras 3.15, `keras.src.backend.tensorflow.rnn`: with `unroll=True` and `go_backwards=True` the list of masks is reversed
together with the inputs; but at the end `zero_output_for_mask` zeroes the outputs, which are in processing order, by
the mask as it came, which is in sequence order. Any mask that is not the same in both orders is affected, whichever
time steps it hides. Such layers are not told by these words here, but by what they compute.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.model.calls import calls_noted
from kerasunroll.inspection.model.layers import is_unrolled, rnn_layers
from kerasunroll.inspection.model_parity.differences import LEAST
from kerasunroll.inspection.model_parity.in_double import double_precision, layer_anew


@dataclass(frozen=True)
class MaskedBackwards:
    """A layer whose unrolled result is wrong where time steps are masked. `str()` of it explains that.

    Args:
        layer: String. The layer's name.
        kind: String. Its class, such as `"LSTM"`.
        wrapper: String. The name of the `Bidirectional` around it; empty if there is none.
        largest: Float. The largest absolute difference from the loop, in float64, on masked sequences.
        padding: String. How that sequence was masked.
        time_step: Integer. The time step of it, in sequence order.
        values: What the loop and the unrolled layer return there.
    """

    layer: str
    kind: str
    wrapper: str
    largest: float
    padding: str
    time_step: int
    values: tuple[float, float]

    def __str__(self) -> str:
        inside = f", inside Bidirectional '{self.wrapper}'" if self.wrapper else ""
        loop, unrolled = self.values
        return (
            f"Keras unrolls layer '{self.layer}' ({self.kind}{inside}) wrongly. It receives a mask, goes backwards, "
            "returns all time steps, and returns zeros for those that are masked (zero_output_for_mask=True, which "
            "Bidirectional forces). With unroll=True Keras then zeroes by a mask that runs the other way in time: time "
            "steps that count become 0, and padding gets outputs. Run alone in float64 on masked sequences, the layer "
            f"differs from its loop by up to {self.largest:.2g}: at time step {self.time_step} of {self.padding} the "
            f"loop returns {loop:.4g}, the unrolled layer {unrolled:.4g}. The way out: unroll it by kerasunroll's "
            "layer (setting own-full, or k8 for 8 time steps per iteration), which does it right, or leave it a loop."
        )


def masked_backwards_errors(model: Any, x: Any) -> tuple[MaskedBackwards, ...]:
    """Return the layers of a model whose unrolled result is wrong where time steps are masked.

    It looks at the unrolled recurrent layers that go backwards, return all time steps with zeros for those that are
    masked, and receive a mask. Each is run alone, in float64 and with its own weights, on random sequences that are
    masked at the end, at the start and in between, and compared with the same layer as a loop.

    Args:
        model: A built `keras.Model`.
        x: The inputs of one batch: they tell which layers receive a mask.

    Returns:
        A tuple of `MaskedBackwards`, in the order in which the layers run.

    Example:
    >>> for error in masked_backwards_errors(model, x):
    ...     print(error)
    """
    wrappers = {
        id(layer): wrapper.name
        for wrapper in model._flatten_layers()
        if isinstance(wrapper, keras.layers.Bidirectional)
        for layer in (wrapper.forward_layer, wrapper.backward_layer)
    }
    found = (_error(layer, shape, wrappers.get(id(layer), "")) for layer, shape in _suspects(model, x))
    return tuple(error for error in found if error is not None)


def _suspects(model: Any, x: Any) -> list[tuple[Any, tuple[int, ...]]]:
    """Return the layers that may be wrong, and the shape of what they receive, without the samples."""
    suspects = [
        layer
        for layer in rnn_layers(model)
        if is_unrolled(layer) and layer.go_backwards and layer.return_sequences and layer.zero_output_for_mask
    ]
    arguments = {"training": False} if model._call_has_training_arg else {}
    shapes: dict[int, tuple[int, ...]] = {}

    def note(layer: Any, sequences: Any, mask: Any, result: Any) -> None:  # noqa: ARG001
        if any(each is not None for each in tree.flatten(mask)):
            shapes[id(layer)] = tuple(sequences.shape[1:])

    def run(values: Any) -> Any:
        with calls_noted(suspects, note):
            return model(values, **arguments)

    if suspects:
        tf.function(run, autograph=False).get_concrete_function(tree.map_structure(tf.convert_to_tensor, x))
    return [(layer, shapes[id(layer)]) for layer in suspects if id(layer) in shapes]


def _error(layer: Any, shape: tuple[int, ...], wrapper: str) -> MaskedBackwards | None:
    masks = _masks(shape[0])
    x = np.random.default_rng(0).normal(size=(len(masks), *shape))
    mask = np.stack(list(masks.values()))
    with double_precision():
        loop, unrolled = (_run(layer, unroll, x, mask) for unroll in (False, True))
    # The outputs are in the order of processing, which is backwards.
    loop, unrolled = loop[:, ::-1], unrolled[:, ::-1]
    distance = np.abs(loop - unrolled)
    at = np.unravel_index(int(np.argmax(distance)), distance.shape)
    if distance[at] <= LEAST * np.abs(loop).max():
        return None
    return MaskedBackwards(
        layer=layer.name,
        kind=type(layer).__name__,
        wrapper=wrapper,
        largest=float(distance[at]),
        padding=list(masks)[at[0]],
        time_step=int(at[1]),
        values=(float(loop[at]), float(unrolled[at])),
    )


def _run(layer: Any, unroll: bool, x: Array, mask: Array) -> Array:
    copy = layer_anew(layer, unroll=unroll, stateful=False, return_state=False)
    copy.build(x.shape)
    for variable, original in zip(copy.weights, layer.weights, strict=True):
        variable.assign(tf.cast(original.value, variable.dtype))
    outputs: Array = np.asarray(copy(tf.constant(x), mask=tf.constant(mask), training=False))
    return outputs


def _masks(timesteps: int) -> dict[str, Array]:
    t = np.arange(timesteps)
    some = max(1, timesteps // 3)
    return {
        "a sequence that is padded at its end": t < timesteps - some,
        "a sequence that is padded at its start": t >= some,
        "a sequence with a masked time step inside": t != some,
    }
