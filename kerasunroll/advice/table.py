"""What an advice predicts, as a table of texts. No TensorFlow."""

from typing import TYPE_CHECKING

from kerasunroll.display.tables import TextTable
from kerasunroll.units import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from kerasunroll.advice.prediction import Advice, Prediction


def text_table(advice: "Advice") -> TextTable:
    """Return a table with a line per setting, in the order of `advice.predictions`."""
    unit = unit_of(advice)
    columns = ["setting", f"until the first {unit}", unit]
    columns += [f"{format_count(advice.training_steps)} {plural(unit)}"] if advice.training_steps else []
    columns += ["tensor peak", "process growth", "process in all"]
    return TextTable(columns, [_row(advice, each) for each in advice.predictions])


def title_of(advice: "Advice") -> str:
    """Return what stands above the table."""
    return f"Predicted: {advice.network.describe()}"


def unit_of(advice: "Advice") -> str:
    """Return what is counted: `batch` in inference, else `training step`."""
    return "batch" if advice.inference else "training step"


def plural(unit: str) -> str:
    """Return `batches` or `training steps`."""
    return "batches" if unit == "batch" else f"{unit}s"


def _row(advice: "Advice", each: "Prediction") -> list[str]:
    times = [each.ready_seconds, each.step_seconds]
    times += [each.total_seconds(advice.training_steps)] if advice.training_steps else []
    sizes = [each.tensor_peak_bytes, each.process_growth_bytes, each.process_peak_bytes]
    return [each.setting, *map(format_seconds, times), *map(format_bytes, sizes)]
