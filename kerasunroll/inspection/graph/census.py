"""The op-level graph of a model: what is in it, and how to obtain it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True)
class GraphCensus:
    """What a graph consists of.

    Args:
        nodes: Integer. Operations, those inside functions (such as the body of a loop) included.
        bytes: Integer. The size of the serialised `GraphDef`.
        by_op: Dict from operation type to its count.
    """

    nodes: int
    bytes: int
    by_op: dict[str, int] = field(default_factory=dict)


def graph_census(graph_def: Any) -> GraphCensus:
    """Count the operations of a graph.

    Args:
        graph_def: A `tf.compat.v1.GraphDef`, its function library included.

    Example:
    >>> graph_census(tf.function(model).get_concrete_function(x).graph.as_graph_def()).nodes
    672
    """
    by_op = Counter(node.op for node in graph_def.node)
    for function in graph_def.library.function:
        by_op.update(node.op for node in function.node_def)
    return GraphCensus(nodes=sum(by_op.values()), bytes=graph_def.ByteSize(), by_op=dict(sorted(by_op.items())))


def forward_graph(model: keras.Model, x: Any) -> Any:
    """Trace the forward pass, as in inference, and return its `FuncGraph`.

    Args:
        model: A built Keras model.
        x: Its input: arrays or tensors, or `tf.TensorSpec`s of them.
    """
    return _trace(lambda inputs: model(inputs, training=False), x)


def training_step_graph(model: keras.Model, batch: Any) -> Any:
    """Trace one training step (forward, backward and the optimiser's update) and return its `FuncGraph`.

    Nothing is executed: weights and optimiser stay as they are.

    Args:
        model: A built and compiled Keras model.
        batch: A tuple `(x, y)` or `(x, y, sample_weight)` of arrays, tensors or `tf.TensorSpec`s.
    """
    return _trace(model.train_step, batch)


def batch_spec(batch: Any) -> Any:
    """Return the `tf.TensorSpec`s of a nest of tensors or arrays."""
    return tf.nest.map_structure(
        lambda value: (
            value if isinstance(value, tf.TensorSpec) else tf.TensorSpec.from_tensor(tf.convert_to_tensor(value))
        ),
        batch,
    )


def _trace(function: Any, argument: Any) -> Any:
    # Keras's layers must not be rewritten by AutoGraph, as in Keras's own trainer.
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(batch_spec(argument)).graph
