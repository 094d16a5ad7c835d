"""The train function of a model, with what callbacks add to it.

Keras traces `model.train_step` once, compiles it, and from then on calls `model.train_function`, a plain closure. A
callback that wants to see the gradients or the graph has to stand by while `train_step` is traced. `TrainFunction`
takes the closure's place: it traces with hooks around `train_step`, and tells listeners how long each call took.
The model's own methods and its optimiser stay untouched. Under a `tf.distribute` strategy the hooks stand around the
`train_step` of each replica (see `kerasunroll.callbacks.training_step.replicas`).

Hooks must not make a training fail that would run without them. Where tracing with hooks fails and tracing without them
does not, the hooks were at fault: the training goes on without them, and they are told.

It remains the model's train function after `fit`, so that a second `fit` with the same callbacks does not compile
again; without these callbacks, what the hooks added to the graph runs on and is not looked at.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.models.building import has_call

Hook = Callable[[Any], AbstractContextManager[Any]]
"""Called with the (symbolic) batch; returns a context that is open while `train_step` is traced."""

OnFailure = Callable[[Exception], object]
"""Called with what went wrong with a hook in place, and not without it."""


Hooks = Mapping[Hook, OnFailure]


def _raised(error: Exception) -> None:
    raise error


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

    Use `TrainFunction.of(model)` in a callback's `on_train_begin`; the model must have been compiled.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._hooks: dict[Hook, OnFailure] = {}
        self._variants: dict[Hook, Callable[[Any], Any]] = {}
        self._chosen: tuple[Hook, OnFailure] | None = None
        self._trace_seconds = 0.0
        self._traced_replicas = 0
        self._function = self._compiled()
        self._build_first = False
        self.listeners: list[Callable[[Call], None]] = []
        self.ran_variant = False

    @classmethod
    def of(cls, model: keras.Model, *, build_first: bool = False) -> "TrainFunction":
        """Return the `TrainFunction` of `model`, putting it in place if it is not there yet.

        Args:
            model: A compiled Keras model.
            build_first: Boolean. Whether the model, its metrics and its optimiser are built before the training step is
                traced. Keras builds what is missing while it traces, and TensorFlow then traces a second time.
        """
        if not isinstance(model.train_function, cls):
            model.train_function = cls(model)
        model.train_function._build_first |= build_first
        return model.train_function

    def add_hook(self, hook: Hook, on_failure: OnFailure = _raised) -> None:
        """Have `hook` stand by whenever `train_step` is traced; a hook that is there already is not added again.

        Args:
            hook: A `Hook`.
            on_failure: An `OnFailure`. Defaults to a function that raises the error.
        """
        if hook not in self._hooks:
            self._hooks[hook] = on_failure
            self._function = self._compiled(self._hooks)
            self._variants.clear()

    def choose_variant(self, hook: Hook, on_failure: OnFailure = _raised) -> None:
        """Make the next call (only the next) run a train function of its own, traced with `hook` too.

        It does the same training step. What costs time is so paid in the chosen training steps alone.

        Args:
            hook: A `Hook`.
            on_failure: An `OnFailure`. Defaults to a function that raises the error.
        """
        if hook not in self._variants:
            self._variants[hook] = self._compiled(self._hooks, {hook: on_failure})
        self._chosen = hook, on_failure

    def __call__(self, iterator: Any) -> Any:
        """Run `steps_per_execution` training steps on what `iterator` yields; return Keras's logs."""
        self.ran_variant = self._chosen is not None
        self._trace_seconds, self._traced_replicas = 0.0, 0
        if self._build_first:
            self._build_first = False
            _build(self._model, iterator)
        start = time.perf_counter()
        logs = self._run_variant(iterator) if self.ran_variant else self._run(iterator)
        if self.listeners:
            _wait_for(logs)
            call = Call(time.perf_counter() - start, self._trace_seconds, self.ran_variant)
            for listener in self.listeners:
                listener(call)
        return logs

    def _run_variant(self, iterator: Any) -> Any:
        assert self._chosen is not None  # noqa: S101
        (hook, on_failure), self._chosen = self._chosen, None
        try:
            return self._variants[hook](iterator)
        except Exception as error:
            # The hook may also be what the memory is too small for.
            if not (self._failed_in_tracing() or isinstance(error, tf.errors.ResourceExhaustedError)):
                raise
            failure, self.ran_variant = error, False
        logs = self._run(iterator)
        on_failure(failure)
        return logs

    def _run(self, iterator: Any) -> Any:
        try:
            return self._function(iterator)
        except Exception as error:
            if not (self._hooks and self._failed_in_tracing()):
                raise
            failure = error
        blamed, self._hooks = self._hooks, {}
        self._function = self._compiled()
        logs = self._function(iterator)
        _tell(blamed, failure)
        return logs

    def _failed_in_tracing(self) -> bool:
        """Tell whether tracing has begun and not ended; if so, no batch was taken from the data."""
        failed, self._traced_replicas = self._traced_replicas > 0, 0
        return failed

    def _compiled(self, *hooks: Hooks) -> Callable[[Any], Any]:
        """Have Keras make a train function around `train_step` with hooks; it is traced when first called."""
        model, previous = self._model, self._model.train_function
        own_train_step = vars(model).get("train_step")
        model.train_step = self._with_hooks(model.train_step, *map(dict, hooks))
        try:
            model.make_train_function(force=True)
            return model.train_function  # type: ignore[no-any-return]
        finally:
            if own_train_step is None:
                del model.train_step
            else:
                model.train_step = own_train_step
            model.train_function = previous

    def _with_hooks(self, train_step: Callable[[Any], Any], *hooks: Hooks) -> Callable[[Any], Any]:
        """Return `train_step` with hooks; where it runs eagerly and fails, the last of them are left out."""

        def train_step_with_hooks(data: Any) -> Any:
            done: list[Any] = []
            try:
                with self._tracing(), ExitStack() as stack:
                    for hook in chain(*hooks):
                        stack.enter_context(hook(data))
                    done.append(train_step(data))
            except Exception as error:
                if tf.inside_function() or not hooks:
                    raise
                failure = error
            else:
                return done[0]
            self._traced_replicas = 0
            logs = done[0] if done else self._with_hooks(train_step, *hooks[:-1])(data)
            _tell(hooks[-1], failure)
            return logs

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


def _build(model: keras.Model, iterator: Any) -> None:
    """Build all that Keras would build while it traces, from the shapes of what `iterator` yields; as far as it goes.

    Where it fails, tracing will tell the user; or it does not, since a `train_step` of the user's may not use what a
    model has by default, such as its metrics.
    """
    if not has_call(model):
        return
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        spec = iterator.element_spec
        batch = tf.nest.map_structure(lambda each: keras.KerasTensor(each.shape, each.dtype.name), spec)
        model._symbolic_build(data_batch=batch)


def _tell(hooks: Hooks, failure: Exception) -> None:
    for on_failure in hooks.values():
        on_failure(failure)


def _wait_for(logs: Any) -> None:
    """On a GPU the call returns before the work is done; reading a result waits for it."""
    for value in tf.nest.flatten(logs)[:1]:
        if tf.is_tensor(value):
            value.numpy()
