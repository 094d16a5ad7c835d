"""What makes a recurrent layer of Keras one of kerasunroll's: how it runs through time."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import keras
from keras import tree
from keras.src import backend

from kerasunroll.errors import InputError
from kerasunroll.layers import fast
from kerasunroll.layers.auto import fastest_setting
from kerasunroll.layers.loops import through_time
from kerasunroll.layers.options import (
    StepsPerIteration,
    check_together,
    checked_recompute,
    checked_truncate,
    checked_unroll,
)
from kerasunroll.layers.shapes import check_known_states, check_mask, check_states
from kerasunroll.settings import AUTO, layer_arguments, parse_settings, validate_setting


class ThroughTime(keras.layers.RNN):
    """Mixin for a recurrent layer of Keras, which then runs through time in more ways than two.

    Use the layer wherever you use Keras's: it has the same arguments, the same weights in the same order, and the same
    result as Keras's loop.

    Args:
        *args: The positional arguments of Keras's layer.
        unroll: How the layer runs through time: `False` (default; a loop), `True` (every time step laid out), an
            integer `k >= 2` (k time steps per iteration of a loop, and the rest of T after it), or `"auto"` (the
            fastest of these and Keras's own loop on this machine, found by a short calibration when the layer is built,
            and remembered: see `kerasunroll.layers.auto`). The result is the same.
        truncate: Integer `k >= 1` or `None` (default). Cuts the gradient every k time steps: it does not pass from the
            state that enters time step k, 2k, ... (in the order of processing) to the time steps before. (Truncated
            backpropagation through time: Williams & Peng 1990.) The outputs are the same, the gradients are not.
        recompute: `False` (default), `True` or an integer. Keeps only the states between segments for the backward
            pass, and recomputes the rest, segment by segment: memory grows like the square root of T, at the cost of a
            second forward pass (Chen et al. 2016, arXiv:1604.06174). An integer is the number of time steps in a
            segment; `True` takes the square root of T, rounded up. Outputs and gradients are the same.
        **kwargs: The other arguments of Keras's layer.

    Attributes:
        unroll: How the layer runs; with `"auto"`, known once it is built.
        chosen_setting: String or `None`. What `"auto"` has found, as a word of `kerasunroll.settings`: `"loop"` is
            Keras's own loop.

    Raises:
        SettingError: If `unroll` is none of these, or contradicts `recompute`.
        InputError: If `truncate` or `recompute` is invalid; when the layer is called, if the number of time steps is
            unknown and `unroll=True`.

    Example:
    ```python
    class PeepholeLSTM(ThroughTime, LayerThatExtendsKerasRNN):
        pass


    PeepholeLSTM(64, unroll=8)
    ```
    """

    def __init__(self, *args: Any, truncate: int | None = None, recompute: bool | int = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unroll: Any = checked_unroll(self.unroll)
        self._asked_for = self.unroll
        self._as_keras = False
        self.chosen_setting: str | None = None
        self.truncate = checked_truncate(truncate)
        self.recompute = checked_recompute(recompute)
        check_together(self.unroll, self.recompute)
        if getattr(self, "use_cudnn", False) and not self._cudnn_can_run():
            # Keras's constructor forbids XLA for cuDNN's sake, also where recurrent dropout or one of our options keeps
            # cuDNN from running.
            self.supports_jit = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if ThroughTime in cls.__bases__:  # a further subclass may take what it likes
            cls.__signature__ = _signature_with_own_arguments(cls)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Create the weights; find the fastest setting where it is asked for."""
        super().build(sequences_shape, initial_state_shape)
        if self.unroll == AUTO:
            self.run_as(fastest_setting(self, sequences_shape))

    def run_as(self, word: str) -> None:
        """Take a setting that was found by trying.

        Args:
            word: String. `"loop"` (Keras's own loop), `"own-loop"`, `"own-full"` or one such as `"k4"`.
        """
        implementation, unroll = layer_arguments(validate_setting(parse_settings(word)))
        self.unroll = checked_unroll(unroll)
        self.chosen_setting = word
        self._as_keras = implementation == "keras"

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = False) -> Any:
        """Run through time, as the layer of Keras does; the arguments are the same."""
        if len(sequences.shape) < 3:
            raise InputError(
                f"Layer '{self.name}' expects sequences of shape (batch, timesteps, features), got shape "
                f"{tuple(sequences.shape)}."
            )
        if self.unroll is True and sequences.shape[1] is None:
            raise InputError(
                f"Layer '{self.name}' with unroll=True needs a known number of time steps, got sequences of shape "
                f"{tuple(sequences.shape)}. Use unroll=False or an integer such as unroll=8, or give the number in "
                "the shape of the Input."
            )
        if mask is not None:
            check_mask(self, sequences, mask[0] if tree.is_nested(mask) else mask)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
        """Take the cell through time; what Keras's layer calls to do so."""
        if self._as_keras or self._left_to_cudnn():
            return super().inner_loop(sequences, initial_state, mask=mask, training=training)
        mask = mask[0] if tree.is_nested(mask) else mask
        if fast.why_not(self, sequences, mask, training) is None:
            return fast.run(self, sequences, initial_state, mask, training)
        arguments = {"training": training} if _takes_training(self.cell) else {}

        def step(inputs: Any, states: Any) -> tuple[Any, Any]:
            output, after = self.cell(inputs, states, **arguments)
            return output, after

        return self._run(
            step,
            sequences,
            initial_state,
            unroll=self.unroll,
            recompute=self.recompute,
            go_backwards=self.go_backwards,
            mask=mask,
            zero_output_for_mask=self.zero_output_for_mask,
            return_all_outputs=self.return_sequences,
        )

    def run_through_time(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        sequences: Any,
        initial_state: Any,
        *,
        input_length: int | None = None,  # noqa: ARG002  # the number of time steps is in the sequences' shape
        **options: Any,
    ) -> Any:
        """Take another step function through time, as this layer takes its cell.

        By this `kerasunroll.inspection` observes the layer. Nothing is recomputed, so that what is observed is there;
        the result is the same.

        Args:
            step: As `keras.src.backend.rnn` takes it.
            sequences: Tensor of shape `(B, T, ...)`, or nested tensors of such shapes.
            initial_state: List of tensors.
            input_length: Integer or `None`. Not looked at.
            **options: Further arguments of `keras.src.backend.rnn`.

        Returns:
            What `keras.src.backend.rnn` returns, a tuple `(last_output, outputs, states)`.
        """
        return self._run(step, sequences, initial_state, **options)

    def _left_to_cudnn(self) -> bool:
        """Tell whether Keras's layer is to run cuDNN's kernel, or to say why it cannot."""
        use_cudnn = getattr(self, "use_cudnn", False)
        if use_cudnn is True and not self._runs_plainly:
            raise InputError(
                f"Layer '{self.name}' with use_cudnn=True can run only as cuDNN does, with unroll=False, "
                f"truncate=None and recompute=False, got unroll={self.unroll}, truncate={self.truncate} and "
                f"recompute={self.recompute}. Use use_cudnn='auto'."
            )
        return use_cudnn is True or (use_cudnn == "auto" and self._cudnn_can_run())

    @property
    def _runs_plainly(self) -> bool:
        return self.unroll is False and self.truncate is None and self.recompute is False

    def _cudnn_can_run(self) -> bool:
        """Tell whether Keras's LSTM or GRU would run cuDNN's kernel here, as it decides in `inner_loop`."""
        cell = self.cell
        of_gru = {"reset_after": cell.reset_after} if isinstance(cell, keras.layers.GRUCell) else {}
        return (
            self._runs_plainly
            and not cell.recurrent_dropout
            and backend.cudnn_ok(
                cell.activation, cell.recurrent_activation, unroll=False, use_bias=cell.use_bias, **of_gru
            )
        )

    def _run(self, step: Any, sequences: Any, initial_state: Any, **options: Any) -> Any:
        check_known_states(self, sequences, initial_state)

        def checked_step(inputs: Any, states: Any) -> tuple[Any, Any]:
            output, after = step(inputs, states)
            # States keep their shape from time step to time step: one that does not, has been broadcast.
            check_states(self, tree.flatten(states), [each.shape for each in tree.flatten(after)])
            return output, after

        return through_time(checked_step, sequences, initial_state, truncate=self.truncate, **options)

    def get_config(self) -> dict[str, Any]:
        """Return all arguments of the layer; `use_cudnn` too, which Keras forgets."""
        config: dict[str, Any] = super().get_config()
        config["unroll"] = int(self._asked_for) if isinstance(self._asked_for, StepsPerIteration) else self._asked_for
        config |= {"truncate": self.truncate, "recompute": self.recompute}
        return config | ({"use_cudnn": self.use_cudnn} if hasattr(self, "use_cudnn") else {})


def _takes_training(cell: Any) -> bool:
    return isinstance(cell, keras.Layer) and bool(cell._call_has_training_arg)


def _signature_with_own_arguments(layer_class: type) -> Any:
    """Return the signature of Keras's layer with our arguments in it, for `help` and for whoever asks."""
    keras_class = next(each for each in layer_class.__mro__ if not issubclass(each, ThroughTime))
    own = [
        parameter
        for name, parameter in signature(ThroughTime.__init__).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    ]
    theirs = signature(keras_class)
    *arguments, rest = theirs.parameters.values()
    return theirs.replace(parameters=[*arguments, *own, rest])
