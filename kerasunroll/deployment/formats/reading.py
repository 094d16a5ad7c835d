"""What is in a file: its operations by kind, and the tensors that are alive at once. Imports TensorFlow's schema."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_BUILTINS: Final[dict[int, str]] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}
_BYTES: Final[dict[int, int]] = {
    code: np.dtype(name.lower()).itemsize
    for name, code in vars(schema.TensorType).items()
    if isinstance(code, int) and name.lower() in ("float32", "float16", "float64", "int8", "int16", "int32", "int64")
}


def operations_of(target: str, path: Path) -> dict[str, int]:
    """Return how many operations of each kind a file has, those inside loops once.

    Operations of TensorFlow's own in a LiteRT file begin with `Flex`.

    Args:
        target: `"litert"`, `"onnx"` or `"saved_model"`.
        path: Path of the file.
    """
    match target:
        case "litert":
            return dict(_litert_operations(path.read_bytes()).most_common())
        case "onnx":
            return dict(_onnx_operations(path).most_common())
        case _:
            return dict(_saved_model_operations(path).most_common())


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def arena_bytes(content: bytes) -> int:
    """Return the most bytes of tensors that are alive at once while a LiteRT file runs: what an arena must hold.

    A tensor lives from the operation that makes it to the last one that reads it; constants lie in the file. What a
    loop's body needs is added where the loop runs. The interpreter's own arena is a little larger: it places tensors at
    addresses, and keeps what its kernels need beside.

    Args:
        content: Bytes of the file.
    """
    model = schema.Model.GetRootAsModel(content, 0)
    return _peak(model, 0)


def _litert_operations(content: bytes) -> Counter[str]:
    model = schema.Model.GetRootAsModel(content, 0)
    names = [_operator_name(model.OperatorCodes(place)) for place in range(model.OperatorCodesLength())]
    found: Counter[str] = Counter()
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        found.update(names[graph.Operators(place).OpcodeIndex()] for place in range(graph.OperatorsLength()))
    return found


def _operator_name(code: Any) -> str:
    if code.CustomCode():
        name: str = code.CustomCode().decode()
        return name
    # Files of earlier versions have the code in the other field, and 0 in this one.
    return _BUILTINS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]


def _onnx_operations(path: Path) -> Counter[str]:
    import onnx

    found: Counter[str] = Counter()

    def count(graph: Any) -> None:
        for node in graph.node:
            found[node.op_type] += 1
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    count(attribute.g)

    count(onnx.load(str(path)).graph)
    return found


def _saved_model_operations(path: Path) -> Counter[str]:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return Counter(node.op for node in nodes)


def _peak(model: Any, number: int) -> int:
    graph = model.Subgraphs(number)
    last_read: dict[int, int] = {}
    made: dict[int, int] = dict.fromkeys(_indices(graph, "Inputs"), -1)
    operators = [graph.Operators(place) for place in range(graph.OperatorsLength())]
    for place, operator in enumerate(operators):
        last_read |= dict.fromkeys(_indices(operator, "Inputs"), place)
        made |= {tensor: place for tensor in _indices(operator, "Outputs") if tensor not in made}
    last_read |= dict.fromkeys(_indices(graph, "Outputs"), len(operators))
    sizes = {tensor: _tensor_bytes(graph.Tensors(tensor)) for tensor in made}
    peak = 0
    for place, operator in enumerate(operators):
        alive = sum(
            size for tensor, size in sizes.items() if made[tensor] <= place <= last_read.get(tensor, made[tensor])
        )
        peak = max(peak, alive + max((_peak(model, inner) for inner in _called(operator)), default=0))
    return peak


def _called(operator: Any) -> list[int]:
    """Return the graphs that an operation runs: the condition and the body of a loop."""
    options = operator.BuiltinOptions()
    if options is None or operator.BuiltinOptionsType() != schema.BuiltinOptions.WhileOptions:
        return []
    loop = schema.WhileOptions()
    loop.Init(options.Bytes, options.Pos)
    return [loop.CondSubgraphIndex(), loop.BodySubgraphIndex()]


def _indices(owner: Any, what: str) -> list[int]:
    number = getattr(owner, f"{what}Length")()
    return [index for place in range(number) if (index := getattr(owner, what)(place)) >= 0]


def _tensor_bytes(tensor: Any) -> int:
    shape = [tensor.Shape(place) for place in range(tensor.ShapeLength())]
    number: int = math.prod(shape)
    return number * _BYTES.get(tensor.Type(), 1)
