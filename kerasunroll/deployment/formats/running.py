"""Running a file, as the device would. TensorFlow is imported only for what needs it."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from kerasunroll.deployment.contender import ENDPOINT, Contender
from kerasunroll.errors import InputError

Run: TypeAlias = Callable[[list[Any]], list[Any]]
"""One inference: from the arrays of a batch to those of its outputs."""


def open_file(contender: Contender, path: Path) -> Run:
    """Return a function that does one inference of `batch_size` sequences.

    Args:
        contender: `Contender`.
        path: Path of its file.

    Raises:
        Exception: What the runtime raises where it cannot run the file.
    """
    match contender.target:
        case "litert":
            return _litert(contender, path)
        case "onnx":
            return _onnx(contender, path)
        case _:
            return _saved_model(path)


def use_threads(contender: Contender) -> None:
    """Give TensorFlow as many threads as a contender has; the other runtimes get theirs with the file.

    Args:
        contender: `Contender`.

    Raises:
        RuntimeError: If TensorFlow has run something in this process already.
    """
    if contender.target != "saved_model":
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(contender.threads)
    tf.config.threading.set_inter_op_parallelism_threads(contender.threads)


def runtime_name(contender: Contender) -> str:
    """Return which runtime runs a contender's file here, with its version."""
    if contender.target == "onnx":
        import onnxruntime

        return f"ONNX Runtime {onnxruntime.__version__}"
    if contender.target == "litert" and contender.form != "flex" and _ai_edge_litert() is not None:
        from importlib.metadata import version

        return f"LiteRT {version('ai-edge-litert')}"
    import tensorflow as tf

    return f"TensorFlow {tf.__version__}"


def _ai_edge_litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        return None
    return interpreter


def _interpreter(contender: Contender, path: Path) -> Any:
    plain = _ai_edge_litert()
    if plain is not None and contender.form != "flex":  # it has no operations of TensorFlow's own
        return plain.Interpreter(model_path=str(path), num_threads=contender.threads)
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", category=UserWarning)
        return tf.lite.Interpreter(model_path=str(path), num_threads=contender.threads)


def _litert(contender: Contender, path: Path) -> Run:
    interpreter = _interpreter(contender, path)
    # Which input and output is which. (A signature runner would say it too, but holds on to the interpreter's memory.)
    places = interpreter._get_full_signature_list()[ENDPOINT]
    inputs = _in_order(places["inputs"], interpreter.get_input_details())
    outputs = _in_order(places["outputs"], interpreter.get_output_details())
    if contender.form in ("dynamic", "flex"):
        for each in inputs:
            interpreter.resize_tensor_input(each["index"], [contender.batch_size, *each["shape"][1:]])
    interpreter.allocate_tensors()

    def run(arrays: list[Any]) -> list[Any]:
        for each, array in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(each["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(each["index"]) for each in outputs]

    if contender.form != "streaming":
        return run

    def run_time_steps(arrays: list[Any]) -> list[Any]:
        # The states go on where they are: only an interpreter that was opened just now begins at zero.
        (sequence,) = arrays
        made = [run([sequence[:, t : t + 1]]) for t in range(sequence.shape[1])]
        return made[-1]

    return run_time_steps


def _in_order(places: dict[str, int], details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return inputs or outputs in the order of the numbers that their names end with."""
    by_index = {each["index"]: each for each in details}
    return [by_index[places[name]] for name in sorted(places, key=_number)]


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _onnx(contender: Contender, path: Path) -> Run:
    try:
        import onnxruntime
    except ImportError:
        raise InputError("ONNX Runtime is missing: pip install 'kerasunroll[onnx]'.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = contender.threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda arrays: list(session.run(None, dict(zip(names, arrays, strict=True))))


def _saved_model(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def run(arrays: list[Any]) -> list[Any]:
        made = loaded.serve(*map(tf.constant, arrays))
        return [np.asarray(made[name]) for name in sorted(made, key=_number)]

    return run
