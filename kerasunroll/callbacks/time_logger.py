"""The callback that logs how long training steps take."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.training_step.train_function import Call, TrainFunction


class TimeLogger(Logger):
    """Logs how long the first training step and the later ones take, without the work of other callbacks.

    The clock runs from the call of the compiled train function until its results are there. Tags:

    - `time/step_seconds`: the median duration of a training step since the last entry. Calls in which something was
      traced (the first, and any with a new shape), and those that hand out gradients through time, are left out;
    - `time/trace_seconds`: how long it took to trace the training step in Python;
    - `time/compile_seconds`: the rest of the first training step, beyond an ordinary one: TensorFlow's (or XLA's)
      work on the graph.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"epoch"`, `"batch"` or an integer n: every n training steps. Defaults to `"epoch"`.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Attributes:
        trace_seconds: Float or `None`.
        compile_seconds: Float or `None`.
        step_seconds: List of floats: every training step without tracing since `on_train_begin`.
    """

    subject = "Times are"

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = "epoch",
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self._function: TrainFunction | None = None
        self._reset()

    def training_begins(self) -> None:
        """Start the watch."""
        self._stop()  # a fit that was interrupted has not
        self._reset()
        self._function = TrainFunction.of(self.model, build_first=True)
        self._function.listeners.append(self._take)

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write when due."""
        if self.is_due():
            self._write()

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the epoch's median."""
        if self.update_freq == "epoch":
            self._write()

    def training_ends(self) -> None:
        """Stop the watch."""
        self._stop()

    def _stop(self) -> None:
        if self._function is not None:
            self._function.listeners.remove(self._take)
            self._function = None

    def _reset(self) -> None:
        self.step_seconds: list[float] = []
        self.trace_seconds: float | None = None
        self.compile_seconds: float | None = None
        self._first_call: Call | None = None
        self._written = 0

    def _take(self, call: Call) -> None:
        if call.variant:
            return
        if call.trace_seconds == 0:
            self.step_seconds.append(call.seconds / self.model.steps_per_execution)
        elif self._first_call is None:
            self._first_call = call

    def _write(self) -> None:
        new = self.step_seconds[self._written :]
        self._written = len(self.step_seconds)
        if not new:
            return
        step_seconds = median(new)
        values = {"time/step_seconds": step_seconds}
        if self._first_call is not None and self.trace_seconds is None:
            ordinary = step_seconds * self.model.steps_per_execution
            self.trace_seconds = self._first_call.trace_seconds
            self.compile_seconds = max(0.0, self._first_call.seconds - self.trace_seconds - ordinary)
            values["time/trace_seconds"] = self.trace_seconds
            values["time/compile_seconds"] = self.compile_seconds
        self.log.scalars(values, self.training_step)
