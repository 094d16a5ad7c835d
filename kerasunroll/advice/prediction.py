"""What a setting will cost, and which one to take for it: what an advice consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kerasunroll.advice.network import Network
from kerasunroll.advice.table import text_table, title_of


@dataclass(frozen=True)
class Prediction:
    """What a setting will cost. Times in seconds, memory in bytes, as `kerasunroll measure` reports them.

    Args:
        setting: String.
        ready_seconds: Float. Build, trace and compile: the time until the first training step (in inference: batch).
        step_seconds: Float. A training step; in inference a forward pass.
        tensor_peak_bytes: Float. The most that its tensors take.
        process_growth_bytes: Float. What the process takes beyond its start, by the end of the first training step.
        process_peak_bytes: Float. What it takes in all, TensorFlow itself included.
    """

    setting: str
    ready_seconds: float
    step_seconds: float
    tensor_peak_bytes: float
    process_growth_bytes: float
    process_peak_bytes: float

    def total_seconds(self, training_steps: int) -> float:
        """Return the time over so many training steps, with what comes before the first."""
        return self.ready_seconds + training_steps * self.step_seconds

    def cost(self, training_steps: int | None) -> float:
        """Return by what settings are compared, in seconds: the time in all, or that of a training step."""
        return self.step_seconds if training_steps is None else self.total_seconds(training_steps)


@dataclass(frozen=True, repr=False)
class Advice:
    """Which setting to take; `text` says it in words, `repr()` with a table, and a notebook shows a picture besides.

    Args:
        network: `Network`.
        predictions: Tuple of `Prediction`, one per setting, in the order in which they were asked for.
        recommended: String or `None`. The setting to take; `None` if none fits into the memory.
        out: Dict from setting to why it is out of the question.
        close: Tuple of strings. The settings that cannot be told from the recommended one by predictions like these.
        training_steps: Integer or `None`. How many there will be (in inference: batches); `None` for so many that the
            time until the first one does not count.
        inference: Boolean. Whether the network is only applied.
        spread: Mapping from a figure to the standard deviation of its relative error, as in `Reference`.
        text: String. The advice as a paragraph, such as `"Take own-loop. …"`.
    """

    network: Network
    predictions: tuple[Prediction, ...]
    recommended: str | None
    out: Mapping[str, str]
    close: tuple[str, ...]
    training_steps: int | None
    inference: bool
    spread: Mapping[str, float]
    text: str = ""

    def prediction(self, setting: str) -> Prediction:
        """Return what is predicted of a setting."""
        return next(each for each in self.predictions if each.setting == setting)

    def cost(self, prediction: Prediction) -> float:
        """Return by what settings are compared, in seconds: the time in all, or that of a training step."""
        return prediction.cost(self.training_steps)

    def __repr__(self) -> str:
        return "\n".join([self.text, "", title_of(self), *text_table(self).lines()])

    def _repr_html_(self) -> str:
        from kerasunroll.advice.notebook import advice_html

        return advice_html(self)
