"""A graph as a person wants to see it: layers, then time steps.

Keras names the operations of an unrolled layer `model_1/lstm_1_1/lstm_cell_15/MatMul`: a scope per call, with a
running number that grows by two (Keras opens a scope once to build a layer and once to call it). Here they become
`lstm_1/t007/MatMul`, on the way back `gradient_tape/lstm_1/t007/...`, and the weights that all time steps share
become `lstm_1/weights/kernel`. What is part of no layer, loss, gradient or optimiser (metrics, norms that are logged)
goes into one box, `bookkeeping`. Under a `tf.distribute` strategy the other replicas stand beside the first one, each
inside `replica_1`, ... Only names change: it is the very graph that runs, not a second one traced for the picture.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.inspection.model.layers import is_unrolled, rnn_layers, weight_path

MAX_BYTES = 20_000_000
"""The Graphs tab chokes on graphs of tens of megabytes."""

_GRADIENT = "gradient_tape/"
_REPLICA = r"(?:replica_\d+/)?"

_ENDS = frozenset({"Placeholder", "Identity", "NoOp"})
"""Where a graph begins and ends."""


@dataclass(frozen=True)
class ReadableGraph:
    """A `GraphDef` with readable names.

    Args:
        graph_def: The `tf.compat.v1.GraphDef` to show.
        left_out: Integer. The number of time steps left out of every unrolled layer to keep the graph viewable.
    """

    graph_def: Any
    left_out: int = 0


def readable_graph(func_graph: Any, model: keras.Model, max_bytes: int = MAX_BYTES) -> ReadableGraph:
    """Return the graph of a model with layers and time steps as scopes.

    Args:
        func_graph: The `FuncGraph` of a forward pass or a training step of `model`.
        model: The Keras model.
        max_bytes: Integer. A larger graph loses the time steps in the middle of its unrolled layers.
    """
    graph_def = func_graph.as_graph_def()
    steps = _time_steps(graph_def, model)
    left_out = _middle_to_leave_out(steps, graph_def, max_bytes)
    if left_out:
        graph_def = _without(graph_def, steps, left_out)
    names = _new_names(graph_def, model, steps, _weight_names(func_graph, model))
    return ReadableGraph(_renamed(graph_def, names), len(left_out))


@dataclass(frozen=True)
class _TimeStep:
    """Where an operation stands: the scope of its layer, its time step, and what follows in its name."""

    layer_scope: str
    t: int
    rest: str


def _time_steps(graph_def: Any, model: keras.Model) -> dict[str, _TimeStep]:
    """Map the operations that belong to a time step of an unrolled layer, backward ones included."""
    forward = [node.name for node in graph_def.node if not node.name.startswith(_GRADIENT)]
    steps: dict[str, _TimeStep] = {}
    for layer in filter(is_unrolled, rnn_layers(model)):
        steps.update(_time_steps_of_layer(forward, layer))
    for node in graph_def.node:
        if node.name.startswith(_GRADIENT):
            origin = _origin(node.name.removeprefix(_GRADIENT), steps)
            if origin is not None:
                steps[node.name] = _TimeStep(_GRADIENT + origin.layer_scope, origin.t, origin.rest)
    return steps


def _time_steps_of_layer(names: Iterable[str], layer: keras.layers.RNN) -> Iterator[tuple[str, _TimeStep]]:
    """Walk the operations in the order of their creation, which is that of the calls of the cell.

    What lies between two calls (the masking of the first one's result) belongs to the first one's time step. The
    last call is followed by the end of the layer; there, only as many operations count as followed the calls before.
    """
    scope = re.compile(rf"(?P<layer>(?:.*/)?{re.escape(layer.name)}_\d+)/(?P<rest>.*)")
    cell = re.compile(rf"{re.escape(layer.cell.name)}_(?P<call>\d+)/(?P<rest>.*)")
    calls: dict[str, list[_Call]] = {}
    for name in names:
        inside = scope.fullmatch(name)
        if not inside:
            continue
        of_layer = calls.setdefault(inside["layer"], [])
        in_cell = cell.fullmatch(inside["rest"])
        if in_cell:
            if not of_layer or of_layer[-1].number != in_cell["call"]:
                of_layer.append(_Call(in_cell["call"], [], []))
            of_layer[-1].inside.append((name, in_cell["rest"]))
        elif of_layer:
            of_layer[-1].after.append((name, inside["rest"]))
    for layer_scope, of_layer in calls.items():
        yield from _numbered(layer_scope, of_layer, layer.go_backwards)


@dataclass(frozen=True)
class _Call:
    number: str
    inside: list[tuple[str, str]]
    after: list[tuple[str, str]]


def _numbered(layer_scope: str, calls: list[_Call], go_backwards: bool) -> Iterator[tuple[str, _TimeStep]]:
    between = len(calls[-2].after) if len(calls) > 1 else 0
    for index, call in enumerate(calls):
        t = len(calls) - 1 - index if go_backwards else index
        after = call.after if index < len(calls) - 1 else call.after[:between]
        for name, rest in call.inside + after:
            yield name, _TimeStep(layer_scope, t, rest)


def _origin(name: str, steps: dict[str, _TimeStep]) -> _TimeStep | None:
    """Find the forward operation that a backward operation is named after: its own name, or a scope above it."""
    head, rest = name, ""
    while head:
        if head in steps:
            origin = steps[head]
            return _TimeStep(origin.layer_scope, origin.t, "/".join(filter(None, (origin.rest, rest))))
        head, _, last = head.rpartition("/")
        rest = "/".join(filter(None, (last, rest)))
    return None


def _middle_to_leave_out(steps: dict[str, _TimeStep], graph_def: Any, max_bytes: int) -> set[int]:
    """Choose time steps in the middle such that the rest is about `max_bytes` large."""
    size = graph_def.ByteSize()
    if size <= max_bytes or not steps:
        return set()
    timesteps = 1 + max(step.t for step in steps.values())
    in_steps = sum(node.ByteSize() for node in graph_def.node if node.name in steps)
    keep = max(4, int((max_bytes - (size - in_steps)) / in_steps * timesteps))
    if keep >= timesteps:
        return set()
    first = (keep + 1) // 2
    return set(range(first, first + timesteps - keep))


def _without(graph_def: Any, steps: dict[str, _TimeStep], left_out: set[int]) -> Any:
    gone = {name for name, step in steps.items() if step.t in left_out}
    kept = tf.compat.v1.GraphDef()
    kept.CopyFrom(graph_def)
    del kept.node[:]
    for node in graph_def.node:
        if node.name not in gone:
            copy = kept.node.add()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(name for name in node.input if _operation(name) not in gone)
    return kept


def _new_names(
    graph_def: Any, model: keras.Model, steps: dict[str, _TimeStep], weights: dict[str, str]
) -> dict[str, str]:
    clean = _ScopeCleaner(model)
    digits = max(3, len(str(max((step.t for step in steps.values()), default=0))))
    names = {}
    for node in graph_def.node:
        if node.name in weights:
            names[node.name] = weights[node.name]
        elif node.name in steps:
            step = steps[node.name]
            names[node.name] = f"{clean(step.layer_scope)}/t{step.t:0{digits}d}/{step.rest}"
        else:
            names[node.name] = clean(node.name)
    if any(name.startswith(_GRADIENT) for name in names):
        names |= {old: scope + names[old] for old, scope in _scopes_of_strays(graph_def, model, names).items()}
    return _without_clashes(names)


def _scopes_of_strays(graph_def: Any, model: keras.Model, names: dict[str, str]) -> dict[str, str]:
    """Map what belongs to no layer, loss, gradient or optimiser to the scope it is put into."""
    layers = {layer.name for layer in model._flatten_layers(include_self=False)}
    owners = {*layers, model.name, "compile_loss", "gradient_tape", getattr(model.optimizer, "name", "optimizer")}
    owner = re.compile(f"{_REPLICA}({'|'.join(map(re.escape, owners))})(_\\d+)?/.*")
    return {
        # The tape adds up the gradients of a weight that is used at every time step.
        node.name: _GRADIENT if node.op == "AddN" else "bookkeeping/"
        for node in graph_def.node
        if not (owner.fullmatch(node.name) or owner.fullmatch(names[node.name]))
        and not (node.op in _ENDS and "/" not in node.name)
    }


class _ScopeCleaner:
    """Drops the model's own scope and Keras's call numbers from the scopes of layers."""

    def __init__(self, model: keras.Model) -> None:
        names = {layer.name for layer in model._flatten_layers(include_self=False)}
        self._layers = {name: re.compile(rf"{re.escape(name)}_(\d+)") for name in names}
        self._model = re.compile(rf"(?P<before>(?:{_GRADIENT})?{_REPLICA}){re.escape(model.name)}_\d+/(?P<rest>.+)")

    def __call__(self, name: str) -> str:
        inside = self._model.fullmatch(name)
        if not inside:
            return name
        return inside["before"] + "/".join(self._clean(part) for part in inside["rest"].split("/"))

    def _clean(self, part: str) -> str:
        stem, _, number = part.rpartition("_")
        if stem not in self._layers or not number.isdecimal():
            return part
        # Calls are numbered 1, 3, 5, ...: a shared layer's second call stays apart from its first.
        call = (int(number) + 1) // 2
        return stem if call == 1 else f"{stem}_call{call}"


def _weight_names(func_graph: Any, model: keras.Model) -> dict[str, str]:
    """Map the placeholders through which a graph reads variables to the paths of these variables."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else [])]
    paths = {}
    for variable in variables:
        # Under a strategy, each replica has a copy.
        for replica, copy in enumerate(model.distribute_strategy.experimental_local_results(variable.value)):
            if hasattr(copy, "handle"):
                paths[id(copy.handle)] = f"replica_{replica}/" * (replica > 0) + weight_path(variable, model)
    cells = {layer.cell.name for layer in rnn_layers(model)}
    return {
        internal.op.name: _weight_name(paths[id(external)], cells)
        for external, internal in func_graph.captures
        if id(external) in paths
    }


def _weight_name(path: str, cells: set[str]) -> str:
    """Turn e.g. `lstm_1/lstm_cell/kernel` into `lstm_1/weights/kernel`."""
    *owner, weight = (part for part in path.split("/") if part not in cells)
    return "/".join([*owner, "weights", weight])


def _without_clashes(names: dict[str, str]) -> dict[str, str]:
    taken: set[str] = set()
    unique = {}
    for old, new in names.items():
        candidate, number = new, 1
        while candidate in taken:
            number += 1
            candidate = f"{new}.{number}"
        taken.add(candidate)
        unique[old] = candidate
    return unique


def _renamed(graph_def: Any, names: dict[str, str]) -> Any:
    renamed = tf.compat.v1.GraphDef()
    renamed.CopyFrom(graph_def)
    for node in renamed.node:
        node.name = names[node.name]
        node.input[:] = [_rename_input(name, names) for name in node.input]
        if "_class" in node.attr:
            locations = node.attr["_class"].list
            locations.s[:] = [_rename_location(location, names) for location in locations.s]
    return renamed


def _operation(tensor_name: str) -> str:
    return tensor_name.removeprefix("^").split(":")[0]


def _rename_input(tensor_name: str, names: dict[str, str]) -> str:
    operation = _operation(tensor_name)
    return tensor_name.replace(operation, names.get(operation, operation), 1)


def _rename_location(location: bytes, names: dict[str, str]) -> bytes:
    prefix = "loc:@"
    operation = location.decode().removeprefix(prefix)
    return (prefix + names.get(operation, operation)).encode()
