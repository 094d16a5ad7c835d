"""Which code really ran: read from the graph, not from the arguments."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from kerasunroll.inspection.model.layers import rnn_layers

_LOOPS = frozenset({"While", "StatelessWhile"})
_CUDNN = frozenset({"CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"})
_TIME_STEP = re.compile(r"(?:.*/)?(t\d{3,})/.*")
_KERNEL = re.compile(r".*/fast_[a-z_]+(?:_\d+)?/.*")
_COMPILED = "_XlaMustCompile"


def execution_path(graph_def: Any, model: keras.Model) -> str:
    """Return how the recurrent layers of a model run, such as `"while"`, `"unrolled"` or `"cudnn+xla"`.

    | path | what is in the graph of the layer |
    |---|---|
    | `while` | a loop, of one time step per iteration |
    | `chunked by 8` | a loop, of 8 time steps per iteration |
    | `unrolled` | no loop: one copy of the cell per time step |
    | `cudnn` | cuDNN's kernel for a whole sequence |
    | ...`+kernel` | a kernel of kerasunroll: its backward pass is written by hand |
    | ...`+compiled` | the layer's loop is compiled by XLA on its own |
    | ...`+xla` | XLA compiles the training step |

    Layers that run differently are listed one by one. Where a loop is inside a loop (recomputed segments), it is the
    inner one that is named.

    Args:
        graph_def: The `tf.compat.v1.GraphDef` of the forward pass or training step, as it runs.
        model: The Keras model.

    Example:
    >>> execution_path(graph_def, model)
    'lstm_1: while, lstm_2: unrolled'
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    paths = {layer.name: _path_of(layer, graph_def, functions) for layer in rnn_layers(model)}
    xla = "+xla" if model.jit_compile else ""
    if len(set(paths.values())) == 1:
        return next(iter(paths.values())) + xla
    return ", ".join(f"{name}: {path}{xla}" for name, path in paths.items())


def _path_of(layer: keras.layers.RNN, graph_def: Any, functions: dict[str, Any]) -> str:
    scope = re.compile(rf"(?:.*/)?{re.escape(layer.name)}(?:_\d+)?/.*")
    nodes = [
        node for node in graph_def.node if scope.fullmatch(node.name) and not node.name.startswith("gradient_tape/")
    ]
    if any(node.op in _CUDNN for node in nodes):
        return "cudnn"
    inside = _walk(nodes, functions)
    sizes = [size for size in inside.loop_sizes if size]
    path = "unrolled" if not inside.loop_sizes else f"chunked by {max(sizes)}" if max(sizes, default=1) > 1 else "while"
    kernel = "+kernel" if any(_KERNEL.fullmatch(node.name) for node in nodes) else ""
    return path + kernel + "+compiled" * inside.compiled


@dataclass(frozen=True)
class _Inside:
    """What is inside of nodes and the functions they call.

    Args:
        loop_sizes: List of integers, one per innermost loop: its time steps per iteration, as far as they have scopes
            of their own; else 0.
        time_steps: Set of strings. The scopes of time steps outside of these loops.
        compiled: Boolean. Whether one of the functions is compiled by XLA.
    """

    loop_sizes: list[int]
    time_steps: set[str]
    compiled: bool


def _walk(nodes: Iterable[Any], functions: dict[str, Any]) -> _Inside:
    loop_sizes: list[int] = []
    time_steps: set[str] = set()
    compiled = False
    for node in nodes:
        in_time_step = _TIME_STEP.fullmatch(node.name)
        if in_time_step:
            time_steps.add(in_time_step[1])
        for name in _called_by(node):
            if name not in functions:
                continue
            inside = _walk(functions[name].node_def, functions)
            compiled = compiled or inside.compiled or _is_compiled(functions[name]) or _is_compiled(node)
            if node.op in _LOOPS and not inside.loop_sizes:
                loop_sizes.append(len(inside.time_steps))
            else:
                loop_sizes += inside.loop_sizes
                time_steps |= inside.time_steps
    return _Inside(loop_sizes, time_steps, compiled)


def _called_by(node: Any) -> Iterator[str]:
    """Yield the names of the functions that a node runs; of a loop, its body."""
    for name, attribute in node.attr.items():
        if attribute.HasField("func") and (node.op not in _LOOPS or name == "body"):
            yield attribute.func.name


def _is_compiled(node: Any) -> bool:
    return _COMPILED in node.attr and bool(node.attr[_COMPILED].b)
