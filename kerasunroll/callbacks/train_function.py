"""The train function of a model, with what callbacks add to it.

Keras traces `model.train_step` once, compiles it, and from then on calls `model.train_function`, a plain closure. A
callback that wants to see the gradients or the graph has to stand by while `train_step` is traced. `TrainFunction`
takes the closure's place: it traces with hooks around `train_step`, and tells listeners how long each call took.
The model's own methods and its optimiser stay untouched. Under a `tf.distribute` strategy the hooks stand around the
`train_step` of each replica (see `kerasunroll.callbacks.replicas`).

It remains the model's train function after `fit`, so that a second `fit` with the same callbacks does not compile
again; without these callbacks, what the hooks added to the graph runs on and is not looked at.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

Hook = Callable[[Any], AbstractContextManager[Any]]
"""Called with the (symbolic) batch; returns a context that is open while `train_step` is traced."""


@dataclass(frozen=True)
class Call:
    """One call of the train function, which is `steps_per_execution` training steps.

    Args:
        seconds: Float. From the call until its results were there.
        trace_seconds: Float. The part of it that went into tracing `train_step`; 0 when nothing was traced.
        variant: Boolean. Whether it was the call of a variant (see `TrainFunction.choose_variant`), which costs more.
    """

    seconds: float
    trace_seconds: float
    variant: bool


class TrainFunction:
    """A callable that Keras's `fit` takes for its own train function.

    Use `TrainFunction.of(model)` in a callback's `on_train_begin`; the model must have been compiled and built.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._hooks: list[Hook] = []
        self._trace_seconds = 0.0
        self._traced_replicas = 0
        self._function = self._compiled([])
        self._chosen: Callable[[Any], Any] | None = None
        self._variants: dict[Hook, Callable[[Any], Any]] = {}
        self.listeners: list[Callable[[Call], None]] = []
        self.ran_variant = False

    @classmethod
    def of(cls, model: keras.Model) -> "TrainFunction":
        """Return the `TrainFunction` of `model`, putting it in place if it is not there yet."""
        if not isinstance(model.train_function, cls):
            model.train_function = cls(model)
        return model.train_function

    def add_hook(self, hook: Hook) -> None:
        """Have `hook` stand by whenever `train_step` is traced; a hook that is there already is not added again."""
        if hook not in self._hooks:
            self._hooks.append(hook)
            self._function = self._compiled(self._hooks)
            self._variants.clear()

    def choose_variant(self, hook: Hook) -> None:
        """Make the next call (only the next) run a train function of its own, traced with `hook` too.

        It does the same training step. What costs time is so paid in the chosen training steps alone.
        """
        if hook not in self._variants:
            self._variants[hook] = self._compiled([*self._hooks, hook])
        self._chosen = self._variants[hook]

    def __call__(self, iterator: Any) -> Any:
        """Run `steps_per_execution` training steps on what `iterator` yields; return Keras's logs."""
        self.ran_variant = self._chosen is not None
        function, self._chosen = self._chosen or self._function, None
        self._trace_seconds, self._traced_replicas = 0.0, 0
        start = time.perf_counter()
        logs = function(iterator)
        if self.listeners:
            _wait_for(logs)
            call = Call(time.perf_counter() - start, self._trace_seconds, self.ran_variant)
            for listener in self.listeners:
                listener(call)
        return logs

    def _compiled(self, hooks: list[Hook]) -> Callable[[Any], Any]:
        """Have Keras make a train function around `train_step` with hooks; it is traced when first called."""
        model, previous = self._model, self._model.train_function
        own_train_step = vars(model).get("train_step")
        model.train_step = self._with_hooks(model.train_step, tuple(hooks))
        try:
            model.make_train_function(force=True)
            return model.train_function  # type: ignore[no-any-return]
        finally:
            if own_train_step is None:
                del model.train_step
            else:
                model.train_step = own_train_step
            model.train_function = previous

    def _with_hooks(self, train_step: Callable[[Any], Any], hooks: tuple[Hook, ...]) -> Callable[[Any], Any]:
        def train_step_with_hooks(data: Any) -> Any:
            with self._tracing(), ExitStack() as stack:
                for hook in hooks:
                    stack.enter_context(hook(data))
                return train_step(data)

        return train_step_with_hooks

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        """Take the time of tracing; replicas are traced in turns: from the first one's begin to the last one's end."""
        if self._traced_replicas == 0:
            self._trace_start = time.perf_counter()
        self._traced_replicas += 1
        yield
        self._traced_replicas -= 1
        if self._traced_replicas == 0 and tf.inside_function():
            self._trace_seconds += time.perf_counter() - self._trace_start


def _wait_for(logs: Any) -> None:
    """On a GPU the call returns before the work is done; reading a result waits for it."""
    for value in tf.nest.flatten(logs)[:1]:
        if tf.is_tensor(value):
            value.numpy()
