"""Making a file of a Keras model. Imports TensorFlow, so only workers import it."""

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.deployment.contender import ENDPOINT, Contender
from kerasunroll.errors import InputError


def convert(model: keras.Model, contender: Contender, x: Any, path: Path) -> None:
    """Write a model as a file.

    Args:
        model: A built `keras.Model`, in the contender's setting.
        contender: `Contender`.
        x: Nested arrays: sequences of which int8 learns the ranges.
        path: Path of the file; of a SavedModel, that of its folder.

    Raises:
        Exception: What the converter raises where it cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    match contender.target:
        case "litert":
            path.write_bytes(_litert(model, contender, x))
        case "onnx":
            _onnx(model, contender, x, path)
        case "saved_model":
            shutil.rmtree(path, ignore_errors=True)
            _export(model, contender, x, path)


def inputs_of(x: Any) -> list[Any]:
    """Return nested inputs as a list, in the order in which a file takes them."""
    return list(keras.tree.flatten(x))


def _specs(contender: Contender, x: Any) -> list[Any]:
    batch = None if contender.form in ("dynamic", "flex") else contender.batch_size
    return [
        tf.TensorSpec((batch, *leaf.shape[1:]), leaf.dtype, name=f"input_{place}")
        for place, leaf in enumerate(inputs_of(x))
    ]


def _export(model: keras.Model, contender: Contender, x: Any, folder: Path) -> None:
    def serve(*inputs: Any) -> Any:
        outputs = model(keras.tree.pack_sequence_as(x, list(inputs)), training=False)
        return {f"output_{place}": output for place, output in enumerate(keras.tree.flatten(outputs))}

    # A bare concrete function would leave the file's variables without their values.
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(ENDPOINT, serve, _specs(contender, x))
    archive.write_out(str(folder), verbose=False)


def _litert(model: keras.Model, contender: Contender, x: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _export(model, contender, x, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[ENDPOINT])
        if contender.form == "flex":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
            converter._experimental_lower_tensor_list_ops = False
        if contender.quantization != "none":
            _quantize(converter, contender, x)
        content: bytes = converter.convert()
        return content


def _quantize(converter: Any, contender: Contender, x: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if contender.quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return
    leaves, size = inputs_of(x), contender.batch_size

    def sequences() -> Any:
        for start in range(0, len(leaves[0]) - size + 1, size):
            yield {f"input_{place}": leaf[start : start + size] for place, leaf in enumerate(leaves)}

    converter.representative_dataset = lambda: ((ENDPOINT, each) for each in sequences())
    if contender.form != "flex":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def _onnx(model: keras.Model, contender: Contender, x: Any, path: Path) -> None:
    signature = keras.tree.pack_sequence_as(
        x, [keras.InputSpec(shape=tuple(each.shape), dtype=each.dtype.name) for each in _specs(contender, x)]
    )
    try:
        import onnx
        import tf2onnx  # noqa: F401 - Keras's export needs it
    except ImportError as error:
        raise InputError(f"For ONNX, {error.name} is missing: pip install 'kerasunroll[onnx]'.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx speaks of what NumPy will do
        model.export(str(path), format="onnx", verbose=False, input_signature=[signature])
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)


def one_step_at_a_time(model: keras.Model, batch_size: int) -> keras.Model:
    """Return a model that takes one time step and remembers its states: what a microcontroller runs.

    Args:
        model: A built Sequential or functional `keras.Model` of one input (N, T, F), whose recurrent layers all go
            forwards.
        batch_size: Integer.

    Raises:
        InputError: If the model is another, or a layer goes backwards.
    """
    if not isinstance(model, keras.Sequential | keras.Model) or len(keras.tree.flatten(model.inputs or [])) != 1:
        raise InputError("Only a model of one input can be run one time step at a time.")
    backwards = [
        layer.name
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False)
    ]
    if backwards:
        raise InputError(f"'{backwards[0]}' goes backwards through time, so that it has to see the whole sequence.")

    def stateful(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.RNN):
            config |= {"stateful": True, "unroll": True}
        return type(layer).from_config(config)

    shape = tuple(model.inputs[0].shape)
    step = keras.Input(batch_shape=(batch_size, 1, *shape[2:]), dtype=model.inputs[0].dtype)
    copy = keras.models.clone_model(model, input_tensors=step, clone_function=stateful)
    for variable, its_copy in zip(model.trainable_variables, copy.trainable_variables, strict=True):
        its_copy.assign(variable)
    return copy
