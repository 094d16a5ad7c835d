"""Which code really ran: read from the graph, not from the arguments."""

import re
from typing import Any

import keras

from kerasunroll.inspection.layers import rnn_layers

_LOOPS = frozenset({"While", "StatelessWhile"})
_CUDNN = frozenset({"CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"})


def execution_path(graph_def: Any, model: keras.Model) -> str:
    """Return how the recurrent layers of a model run, such as `"while"`, `"unrolled"` or `"cudnn+xla"`.

    | path | what is in the graph of the layer |
    |---|---|
    | `while` | a loop |
    | `cudnn` | cuDNN's kernel for a whole sequence |
    | `unrolled` | neither: one copy of the cell per time step |

    `+xla` is added when XLA compiles the training step. Layers that run differently are listed one by one.

    Args:
        graph_def: The `tf.compat.v1.GraphDef` of the forward pass or training step, as it runs.
        model: The Keras model.

    Example:
    >>> execution_path(graph_def, model)
    'lstm_1: while, lstm_2: unrolled'
    """
    paths = {layer.name: _path_of(layer, graph_def) for layer in rnn_layers(model)}
    xla = "+xla" if model.jit_compile else ""
    if len(set(paths.values())) == 1:
        return next(iter(paths.values())) + xla
    return ", ".join(f"{name}: {path}{xla}" for name, path in paths.items())


def _path_of(layer: keras.layers.RNN, graph_def: Any) -> str:
    scope = re.compile(rf"(?:.*/)?{re.escape(layer.name)}(?:_\d+)?/.*")
    operations = {
        node.op for node in graph_def.node if scope.fullmatch(node.name) and not node.name.startswith("gradient_tape/")
    }
    if operations & _CUDNN:
        return "cudnn"
    return "while" if operations & _LOOPS else "unrolled"
