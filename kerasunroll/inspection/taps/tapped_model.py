"""Tap the recurrent layers of a model: add zeros to their states at every time step of a forward pass.

The gradient of the loss with respect to a state h_t inside a recurrent layer is not to be had directly. It equals the
gradient with respect to z_t, zeros that are added to h_t; and z, of shape (B, T, U), is made before the layer runs
through time. `tapped` adds such zeros in every recurrent layer; whoever makes them (the `Source`) decides how their
gradient is taken. The points where they are added are those of `kerasunroll.inspection.taps.cell_runs`.

The layers run through time as their own setting says: the loop loops, the unrolled layer is unrolled, unless the caller
asks for loops. (A loop that would run as a cuDNN kernel runs as Keras's own loop while it is tapped: a kernel has no
inside.)
"""

from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Final

import tensorflow as tf
from keras import tree

from kerasunroll.compatibility import keras_rnn
from kerasunroll.errors import InputError
from kerasunroll.inspection.model.recurrent import OWN_RUN, RecurrentLayer, recurrent_layers
from kerasunroll.inspection.taps.cell_runs import CellRun, Point, Source, point_over_time
from kerasunroll.inspection.taps.cells import BEFORE, cells_tapped, replaced, state_names, training_argument

DROPOUT_MASKS: Final = ("_dropout_mask", "_recurrent_dropout_mask")


@contextmanager
def tapped(
    model: Any, source: Source | None = None, *, record: bool = False, as_loop: bool = False
) -> Iterator[list[CellRun]]:
    """Tap every recurrent layer of a model while a forward pass is traced or run.

    Enter it where the forward pass happens: inside the function that is being traced. The model's layers are as before
    when the context is left, whatever happens.

    Args:
        model: A built `keras.Model`.
        source: Makes the zeros that are added; called once per point. Defaults to `None`: nothing is added.
        record: Boolean. Whether the values at all points are kept for all time steps. Defaults to `False`.
        as_loop: Boolean. Whether unrolled layers run as loops, which compile sooner and compute the same; those that
            Keras may unroll wrongly (see `masked_backwards`) stay unrolled. Defaults to `False`.

    Returns:
        A context with a list of `CellRun`, which grows as the layers run, in that order.

    Raises:
        InputError: If the model has no recurrent layer, or one that cannot be tapped.

    Example:
    ```python
    with tf.GradientTape() as tape, tapped(model, watched_by(tape)) as runs:
        loss = model.compute_loss(y=y, y_pred=model(x))
    tape.gradient(loss, runs[0].zeros["h"])  # dL/dh_t for every t: (B, T, U)
    ```
    """
    runs: list[CellRun] = []
    graph = _current_graph()
    with ExitStack() as replacements:
        for recurrent in recurrent_layers(model):
            loop = _TappedLoop(recurrent, source, record, as_loop, runs, graph)
            replacements.enter_context(replaced(recurrent.layer, inner_loop=loop))
        yield runs


def watched_by(tape: Any) -> Source:
    """Return a source of zeros that a `tf.GradientTape` watches."""

    def source(point: Point) -> Any:
        zeros = point.zeros()
        tape.watch(zeros)
        return zeros

    return source


@cache
def _sequences_class(zeros: int) -> type[Any]:
    """Return the class of a sequence with zeros beside it, which to Keras's `rnn` looks like the sequence.

    Keras takes nested inputs, but asks them for their shape and, unrolled, looks only one level deep: a flat tuple.
    """
    fields = ["sequence", *(f"zeros_{index}" for index in range(zeros))]
    shape = property(lambda self: self.sequence.shape)
    return type("_Sequences", (namedtuple("_Sequences", fields),), {"shape": shape})


_Place = tuple[int, str]
"""A cell's index and the name of a point."""


class _TappedLoop:
    """Takes the place of a layer's `inner_loop`."""

    def __init__(
        self,
        recurrent: RecurrentLayer,
        source: Source | None,
        record: bool,
        as_loop: bool,
        runs: list[CellRun],
        graph: Any,
    ) -> None:
        self.recurrent = recurrent
        self.layer = recurrent.layer
        self.source = source
        self.record = record
        self.as_loop = as_loop
        self.runs = runs
        self.graph = graph
        self.calls = 0

    def __call__(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
        self._check_graph()
        self.calls += 1
        initial = initial_state if tree.is_nested(initial_state) else [initial_state]
        initial = tree.map_structure(tf.convert_to_tensor, initial)  # a stateful layer hands over its variables
        mask = mask[0] if tree.is_nested(mask) else mask
        arguments = training_argument(self.layer.cell, training)

        def step(inputs: Any, states: Any) -> Any:
            output, after = self.layer.cell(inputs, states, **arguments)
            return output, after if tree.is_nested(after) else [after]

        specs = self._trace_one_step(step, sequences, initial)
        runs = self._begin_runs(specs, initial, mask, training)
        if self.source is not None:
            for (index, name), spec in specs.items():
                if name != BEFORE:
                    runs[index].zeros[name] = self.source(point_over_time(runs[index], name, sequences, spec))
        result, recorded = self._through_time(step, sequences, initial, mask, runs)
        for (index, name), values in recorded.items():
            runs[index].recorded[name] = values
        self.runs.extend(runs)
        return result

    def _through_time(
        self, step: Callable[..., Any], sequences: Any, initial: Any, mask: Any, runs: list[CellRun]
    ) -> tuple[Any, dict[_Place, Any]]:
        """Do what the layer's inner loop does, with taps; return its results and what was recorded."""
        layer = self.layer
        unroll = layer.unroll and not (self.as_loop and _unrolls_rightly(layer, mask))
        zeros = {(index, name): zero for index, run in enumerate(runs) for name, zero in run.zeros.items()}
        # Keras's unrolled code takes no nested outputs, but is Python that runs once per time step: what it meets on
        # the way is collected. A loop's body is traced once: there the values must come out as further outputs.
        collecting = self.record and unroll is True
        emitting = self.record and not collecting
        collected: list[dict[_Place, Any]] = []

        def tapped_step(inputs: Any, states: Any) -> Any:
            zeros_now = dict(zip(zeros, inputs[1:], strict=True))
            seen: dict[_Place, Any] = {}

            def add_zeros(index: int, name: str, value: Any) -> Any:
                if (index, name) in zeros_now:
                    value = value + zeros_now[index, name]
                seen[index, name] = tree.flatten(value) if name == BEFORE else value
                return value

            with cells_tapped(self.recurrent.cells, add_zeros):
                output, after = step(inputs.sequence, states)
            if collecting:
                collected.append(seen)
            return ((output, seen) if emitting else output), after

        last_output, outputs, states = getattr(layer, OWN_RUN, keras_rnn())(
            tapped_step,
            _sequences_class(len(zeros))(sequences, *zeros.values()),
            initial,
            go_backwards=layer.go_backwards,
            mask=mask,
            unroll=unroll,
            input_length=sequences.shape[1],
            zero_output_for_mask=layer.zero_output_for_mask,
            return_all_outputs=layer.return_sequences or emitting,
        )
        recorded: dict[_Place, Any] = {}
        if collecting:
            recorded = tree.map_structure(lambda *values: tf.stack(values, axis=1), *collected)
        if emitting:
            (last_output, _), (outputs, recorded) = last_output, outputs
        if layer.go_backwards:
            recorded = tree.map_structure(lambda values: tf.reverse(values, [1]), recorded)
        return (last_output, outputs, states), recorded

    def _trace_one_step(self, step: Callable[..., Any], sequences: Any, initial: Any) -> dict[_Place, Any]:
        """Find the points and what is there, by tracing one time step into a graph that is thrown away."""
        found: dict[_Place, Any] = {}

        def note(index: int, name: str, value: Any) -> Any:
            found[index, name] = tree.map_structure(_spec, value)
            return value

        def one_step(x: Any, states: Any) -> None:
            with cells_tapped(self.recurrent.cells, note):
                step(x, tuple(states))

        shape = sequences.shape
        first = tf.TensorSpec([shape[0], *shape[2:]], sequences.dtype)
        tf.function(one_step, autograph=False).get_concrete_function(first, tree.map_structure(_spec, initial))
        for index, name in enumerate(self.recurrent.cell_names):
            if (index, "x") not in found:
                cell = type(self.recurrent.cells[index]).__name__
                raise InputError(
                    f"The cell {cell} of recurrent layer '{name}' does not do its work in its method `call`, where "
                    "it could be observed. Make it a keras.Layer with a method `call(inputs, states)`."
                )
        return found

    def _begin_runs(self, specs: dict[_Place, Any], initial: Any, mask: Any, training: Any) -> list[CellRun]:
        runs = []
        values = iter(tree.flatten(initial))
        repeat = "" if self.calls == 1 else f"#{self.calls}"
        for index, cell in enumerate(self.recurrent.cells):
            names = state_names(cell, len(tree.flatten(specs[index, BEFORE])))
            runs.append(
                CellRun(
                    name=self.recurrent.cell_names[index] + repeat,
                    cell=cell,
                    go_backwards=self.layer.go_backwards,
                    mask=None if mask is None else tf.cast(mask, tf.bool),
                    arguments=training_argument(cell, training),
                    dropout={name: vars(cell)[name] for name in DROPOUT_MASKS if name in vars(cell)},
                    states_like=specs[index, BEFORE],
                    initial={name: next(values) for name in names},
                )
            )
        return runs

    def _check_graph(self) -> None:
        if _current_graph() is not self.graph:
            raise InputError(
                f"Recurrent layer '{self.recurrent.name}' runs inside a graph of its own (a tf.function, tf.cond, "
                "tf.while_loop or map inside the model), which cannot be observed from outside. Call the layer "
                "directly in the model's call; with `tapped`, enter it inside the function that is traced."
            )


def _unrolls_rightly(layer: Any, mask: Any) -> bool:
    return mask is None or not (layer.go_backwards and layer.return_sequences and layer.zero_output_for_mask)


def _spec(value: Any) -> Any:
    return tf.TensorSpec(value.shape, value.dtype)


def _current_graph() -> Any:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
