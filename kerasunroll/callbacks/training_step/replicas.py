"""A training step seen as one, where `tf.distribute` runs it as several replicas.

A strategy such as `MirroredStrategy` traces the training step once per replica, each in a thread of its own. One runs
at a time, up to the next place where all of them meet: that is where their gradients are added up. What a hook puts in
place in one replica is therefore still there when the next one begins, unless the functions here are used. Without a
strategy there is one replica, which meets nobody.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.compatibility import trained_variables

See = Callable[[keras.optimizers.Optimizer, Sequence[Any], Sequence[Any]], object]
"""Called with an optimiser, and the gradients and the weights that its `apply` is given."""


@contextmanager
def gradients_received(optimizer: Any, see: See) -> Iterator[None]:
    """Call `see` with what the optimiser is given by this replica, before it works on it, until the context is left.

    Args:
        optimizer: A Keras optimiser.
        see: A `See`. Under a strategy the gradients are those of this replica's part of the batch, divided by the
            number of replicas: their sum over the replicas is the gradient of the whole batch.
    """
    watch = vars(optimizer).get("apply")
    if not isinstance(watch, _Watch):
        watch = _Watch(optimizer)
        # Written into the instance's own dict: Keras's attribute tracking must not see it.
        vars(optimizer)["apply"] = watch
    mine = watch.seeing.setdefault(threading.get_ident(), [])
    mine.append(see)
    try:
        yield
    finally:
        mine.remove(see)
        if not any(watch.seeing.values()):
            vars(optimizer).pop("apply", None)


class _Watch:
    """Stands in the place of an optimiser's `apply`, for all replicas; each is seen by its own."""

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        self._optimizer = optimizer
        self._apply = optimizer.apply
        self.seeing: dict[int, list[See]] = {}

    def __call__(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
        grads = list(grads)
        # Without weights, those are meant that the optimiser was built with.
        variables = trained_variables(self._optimizer) if trainable_variables is None else list(trainable_variables)
        # The last one first, as contexts are left: what belongs to this replica must end before it meets the others.
        for see in reversed(self.seeing.get(threading.get_ident(), [])):
            see(self._optimizer, grads, variables)
        return self._apply(grads, None if trainable_variables is None else variables)


def summed(tensors: list[Any]) -> list[Any]:
    """Return the sums of tensors over the replicas, in every replica."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    sums: list[Any] = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)
    return sums


def meet(function: Callable[[list[tuple[Any, ...]]], object], tensors: list[Any]) -> None:
    """Call a function once for all replicas, not once in each.

    Args:
        function: Called with a list that holds, for each of the tensors, the tuple of its values in the replicas.
        tensors: List of tensors, equally many in each replica.
    """

    def merged(strategy: Any, tensors: list[Any]) -> None:
        function([strategy.experimental_local_results(tensor) for tensor in tensors])

    tf.distribute.get_replica_context().merge_call(merged, args=(tensors,))
