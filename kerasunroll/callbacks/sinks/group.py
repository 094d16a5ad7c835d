"""The sinks of one logger."""

from collections.abc import Callable, Sequence

from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.errors import InputError


class SinkGroup:
    """Hands entries to each sink of a logger, except to one that has failed in this `fit`.

    A sink is shared by loggers: where one has seen it fail, the others leave it out too, and say nothing more.

    Args:
        sinks: Sequence of `Sink`, as the user gave it.
        on_failure: Called with a sink and what it raised, once per sink and `fit`. It may raise.
        first: The logger's own sink, or `None`.

    Raises:
        InputError: If there is no sink, or something else among them.
    """

    def __init__(
        self, sinks: Sequence[Sink], on_failure: Callable[[Sink, Exception], None], first: Sink | None = None
    ) -> None:
        self._sinks = [first, *_checked(sinks)] if first is not None else _checked(sinks)
        if not self._sinks:
            raise InputError("log_dir: expected a folder, got None, and no sinks. Give a folder, or sinks=[...].")
        self._on_failure = on_failure
        self._fit: object = None

    def __str__(self) -> str:
        return " and ".join(map(str, self._sinks))

    @property
    def all_failed(self) -> bool:
        """Whether there is no sink left to write into."""
        return all(self._has_failed(sink) for sink in self._sinks)

    def begin(self, fit: object) -> None:
        """Write into all sinks again, unless another logger has seen one fail in this `fit`.

        Args:
            fit: An object that is the same for all loggers of a `fit`.
        """
        if fit is self._fit:  # a list of callbacks that the user made, in its next training
            for sink in self._sinks:
                sink._failed_in = Sink._failed_in
        self._fit = fit

    def write(self, entry: Callable[[Sink], object]) -> None:
        """Call `entry` with each sink that works."""
        for sink in self._sinks:
            if not self._has_failed(sink):
                self._guarded(sink, entry)

    def close(self) -> None:
        """Close all sinks, those that have failed too."""
        for sink in self._sinks:
            self._guarded(sink, lambda sink: sink.close())

    def _has_failed(self, sink: Sink) -> bool:
        return sink._failed_in is self._fit

    def _guarded(self, sink: Sink, work: Callable[[Sink], object]) -> None:
        try:
            work(sink)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a sink, the training goes on
            if not self._has_failed(sink):
                sink._failed_in = self._fit
                self._on_failure(sink, error)


def _checked(sinks: Sequence[Sink]) -> list[Sink]:
    if isinstance(sinks, Sink):
        raise InputError(f"sinks: expected a list of sinks, got {type(sinks).__name__}. Use sinks=[...].")
    for sink in sinks:
        if not isinstance(sink, Sink):
            raise InputError(
                f"sinks: expected objects of class kerasunroll.callbacks.sinks.Sink, got {sink!r}. Derive your class "
                "from Sink, and pass an object of it."
            )
    return list(sinks)
