"""A batch for a model of which nothing is known but itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError
from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.model_parity.run import preserved

TIMESTEPS: Final = 16
"""The length of a sequence where the model takes any."""

_CANNOT_TAKE: Final = (ValueError, TypeError, LookupError, tf.errors.OpError)


@dataclass(frozen=True)
class Batch:
    """One batch, and what it is.

    Args:
        x: Arrays, nested as the model takes them.
        y: Arrays, nested as the model's outputs; `None` where no targets could be made.
        description: String, such as `"8 generated sequences of 16 time steps, masked at their ends"`.
    """

    x: Any
    y: Any
    description: str


def has_any_length(model: Any) -> bool:
    """Tell whether an input of a model has an axis of any length beside that of the samples."""
    return any(None in _shape(each)[1:] for each in tree.flatten(_inputs(model)))


def generated_batch(model: Any, *, batch_size: int = 8, timesteps: int = TIMESTEPS, seed: int = 0) -> Batch:
    """Return a random batch that a model takes.

    Inputs of an `Embedding` are integers in its vocabulary, other integers are 0 or 1, other numbers are drawn from a
    normal distribution. Where the model masks (`mask_zero`, `Masking`), sequences of several lengths are padded at
    their ends by what is masked. Targets suit the outputs and the loss.

    Args:
        model: A built `keras.Model`.
        batch_size: Integer, at least 2 for sequences of several lengths. A model built for another keeps its own.
        timesteps: Integer. The length of an axis where the model takes any length.
        seed: Integer. Draws all.

    Returns:
        A `Batch`.

    Raises:
        InputError: If the model does not tell its inputs, or takes what cannot be drawn, such as text.
    """
    rng = np.random.default_rng(seed)
    struct = _inputs(model)
    inputs = tree.flatten(struct)
    lengths = rng.integers(1, timesteps + 1, size=1000)
    masked = False
    arrays = []
    for tensor, layers in zip(inputs, _consumers(model, len(inputs)), strict=True):
        batch, *rest = _shape(tensor)
        shape = (batch or batch_size, *(timesteps if size is None else size for size in rest))
        padding = _padding(model, layers, len(shape))
        array = _drawn(rng, tensor, shape, layers, padding)
        if padding is not None:
            masked = True
            # One sequence is of full length, so that the time steps are there at all.
            for sample in range(1, shape[0]):
                array[sample, 1 + int(lengths[sample]) * (shape[1] - 1) // (timesteps + 1) :] = padding
        arrays.append(array)
    x = tree.pack_sequence_as(struct, arrays)
    y = _targets(model, x, rng)
    return Batch(x, y, _described(arrays, masked=masked, targets=y is not None, compiled=model.compiled))


def output_specs(model: Any, x: Any) -> Any:
    """Return the nested `tf.TensorSpec` of a model's outputs for the inputs `x`, with the batch's length in them."""
    arguments = {"training": False} if model._call_has_training_arg else {}
    x = tree.map_structure(tf.convert_to_tensor, x)
    with preserved(model):
        run = tf.function(lambda values: model(values, **arguments), autograph=False)
        outputs = run.get_concrete_function(x).structured_outputs
    length = tree.flatten(x)[0].shape[0]
    return tree.map_structure(
        lambda each: tf.TensorSpec([length if size is None else size for size in each.shape], each.dtype), outputs
    )


def _inputs(model: Any) -> Any:
    """Return what a model takes: nested Keras tensors, or the shape it was built for."""
    functional = _functional(model)
    if functional is not None:
        return functional._inputs_struct
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, list | tuple) or not all(isinstance(size, int | None) for size in shape):
        raise InputError(
            f"Model '{model.name}' ({type(model).__name__}) does not tell what inputs it takes, so that none can be "
            "generated. Give it data."
        )
    tokens = len(shape) == 2 and any(_of_kind(model, keras.layers.Embedding))
    return keras.KerasTensor((None, *shape[1:]), dtype="int32" if tokens else "float32")


def _functional(model: Any) -> Any:
    model = getattr(model, "_functional", None) or model
    return model if hasattr(model, "_inputs_struct") and hasattr(model, "operations") else None


def _consumers(model: Any, count: int) -> list[list[Any]]:
    """Return, for each input, the layers that receive it as it is."""
    functional = _functional(model)
    if functional is None:
        return [list(_of_kind(model, keras.layers.Embedding)) for _ in range(count)]
    found: list[list[Any]] = [[] for _ in range(count)]
    places = {id(tensor): place for place, tensor in enumerate(tree.flatten(functional._inputs_struct))}
    for operation in functional.operations:
        for node in operation._inbound_nodes:
            for position, tensor in enumerate(node.input_tensors):
                if id(tensor) not in places:
                    continue
                inside = _functional(operation) is not None
                layers = _consumers(operation, len(node.input_tensors))[position] if inside else [operation]
                found[places[id(tensor)]] += layers
    return found


def _padding(model: Any, layers: list[Any], rank: int) -> float | None:
    """Return what is put in the place of time steps that the model masks; `None` where it masks none."""
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        return 0 if any(getattr(layer, "mask_zero", False) for layer in layers) and rank >= 2 else None
    masking = [layer for layer in layers if isinstance(layer, keras.layers.Masking)]
    masking = masking or list(_of_kind(model, keras.layers.Masking))
    return float(masking[0].mask_value) if masking and rank >= 3 else None


def _drawn(rng: Any, tensor: Any, shape: Sequence[int], layers: list[Any], padding: float | None) -> Array:
    vocabulary = min((layer.input_dim for layer in layers if isinstance(layer, keras.layers.Embedding)), default=None)
    dtype = str(tensor.dtype)
    if vocabulary is not None:
        array: Array = rng.integers(0 if padding is None else 1, max(vocabulary, 2), size=shape).astype(dtype)
    elif dtype == "bool" or "int" in dtype:
        array = rng.integers(0, 2, size=shape).astype(dtype)
    elif "float" in dtype:
        array = rng.normal(size=shape).astype("float32" if dtype == "bfloat16" else dtype)
    else:
        raise InputError(
            f"Input '{tensor.name}' takes values of type {dtype}, which cannot be generated. Give it data."
        )
    return array


def _targets(model: Any, x: Any, rng: Any) -> Any:
    """Return targets for a compiled model, or `None` where they do not suit its loss."""
    if not model.compiled:
        return None
    specs = output_specs(model, x)
    flat = tree.flatten(specs)
    losses = _losses(model, len(flat))
    arrays = [_target(rng, spec, name) for spec, name in zip(flat, losses, strict=True)]
    y = tree.pack_sequence_as(specs, arrays)
    arguments = {"training": False} if model._call_has_training_arg else {}

    def loss(values: Any, targets: Any) -> Any:
        return model._compute_loss(values, targets, model(values, **arguments), None, training=False)

    try:
        with preserved(model):
            batch = tree.map_structure(tf.convert_to_tensor, (x, y))
            tf.function(loss, autograph=False).get_concrete_function(*batch)
    except _CANNOT_TAKE:
        return None
    return y


def _losses(model: Any, count: int) -> list[str]:
    """Return the name of the loss of each output, in lower case."""
    loss = model._compile_config.config["loss"]
    names = list(getattr(model, "output_names", None) or [])
    if isinstance(loss, dict):
        chosen = [loss.get(name) for name in names]
    else:
        chosen = list(loss) if isinstance(loss, list | tuple) else [loss] * count
    chosen += [None] * (count - len(chosen))
    return [str(getattr(each, "name", getattr(each, "__name__", each))).lower() for each in chosen[:count]]


def _target(rng: Any, spec: Any, loss: str) -> Array:
    shape, classes = tuple(spec.shape), spec.shape[-1] or 1
    chosen = rng.integers(0, classes, size=shape[:-1])
    if "sparse" in loss:
        return np.asarray(chosen, np.int32)
    if "categorical" in loss or "kl" in loss:
        return np.asarray(np.eye(classes)[chosen], np.float32)
    if "binary" in loss or "hinge" in loss:
        return np.asarray(rng.integers(0, 2, size=shape), np.float32)
    return np.asarray(rng.normal(size=shape), np.float32)


def _of_kind(model: Any, kind: Any) -> Iterator[Any]:
    return (layer for layer in model._flatten_layers() if isinstance(layer, kind))


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape)


def _described(arrays: Sequence[Array], *, masked: bool, targets: bool, compiled: bool) -> str:
    shapes = ", ".join(str(array.shape) for array in arrays)
    words = [f"generated data of shape {shapes}"]
    words += ["padded at the end where the model masks"] if masked else []
    words += ["without targets: none could be generated for its loss"] if compiled and not targets else []
    return ", ".join(words)
