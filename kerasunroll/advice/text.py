"""An advice in words, and as a table."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from kerasunroll.advice.prediction import Advice, Prediction
from kerasunroll.advice.table import plural, text_table, title_of, unit_of
from kerasunroll.units import format_count, format_ratio, format_seconds

if TYPE_CHECKING:
    from rich.table import Table

TWO_SIDED_95: Final = 1.96


def advice_text(advice: Advice) -> str:
    """Return an advice as a paragraph, such as `"Take own-loop. Over 3,000 training steps it will take …"`."""
    return " ".join(_sentences(advice))


def advice_table(advice: Advice) -> "Table":
    """Return a table with a line per setting."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title_of(advice), style="bold"), title_justify="left")
    texts = text_table(advice)
    for column in texts.columns:
        table.add_column(Text(column), justify="left" if column == "setting" else "right")
    for each, row in zip(advice.predictions, texts.rows, strict=True):
        style = "bold" if each.setting == advice.recommended else "dim" if each.setting in advice.out else ""
        table.add_row(*(Text(cell) for cell in row), style=style)
    return table


def _sentences(advice: Advice) -> Iterator[str]:
    if advice.recommended is None:
        yield "No setting can be recommended."
    else:
        taken = advice.prediction(advice.recommended)
        yield f"Take {_called(taken.setting)}."
        yield f"{_cost(taken, advice)}{_others(taken, advice)}."
        yield from _paid(taken, advice)
        if advice.close:
            yield f"Too close to tell without measuring: {_join([_called(each) for each in advice.close])}."
    for setting, why in advice.out.items():
        yield f"{_capital(_called(setting))} is out: {why}."
    if advice.network.others:
        yield "Only the recurrent layers are counted; the others cost the same in every setting."
    times = max(advice.spread["ready_seconds"], advice.spread["step_seconds"])
    yield f"Predicted, not measured: times to about ±{_percent(times)}, memory to ±{_percent(_memory_spread(advice))}."


def _cost(taken: Prediction, advice: Advice) -> str:
    unit = unit_of(advice)
    pace = f"{format_seconds(taken.step_seconds)} {'a' if advice.training_steps is None else 'for each'} {unit}"
    ready = f"{format_seconds(taken.ready_seconds)} until the first {unit}"
    if advice.training_steps is None:
        return f"It will take about {pace}, after {ready}"
    total = format_seconds(taken.total_seconds(advice.training_steps))
    return f"Over {format_count(advice.training_steps)} {plural(unit)} it will take about {total}: {ready}, then {pace}"


def _others(taken: Prediction, advice: Advice) -> str:
    """Say how much longer the other settings would take."""
    others = [each for each in advice.predictions if each is not taken and each.setting not in advice.out]
    longer = [
        f"{_called(each.setting)} {format_ratio(advice.cost(each) / advice.cost(taken))} as long"
        for each in sorted(others, key=advice.cost)
    ]
    return f"; {_join(longer)}" if longer else ""


def _paid(taken: Prediction, advice: Advice) -> Iterator[str]:
    """Say when a longer compile than the loop's has paid for itself."""
    loop = next((each for each in advice.predictions if each.setting == "loop"), taken)
    extra, gained = taken.ready_seconds - loop.ready_seconds, loop.step_seconds - taken.step_seconds
    if extra > 0 and gained > 0:
        count = format_count(math.ceil(extra / gained))
        yield f"Beside the loop its longer compile has paid for itself after about {count} {plural(unit_of(advice))}."


def _memory_spread(advice: Advice) -> float:
    return max(advice.spread["tensor_peak_bytes"], advice.spread["process_growth_bytes"])


def _called(setting: str) -> str:
    return "the loop" if setting == "loop" else setting


def _percent(spread: float) -> str:
    """Return the half-width of a 95 % interval, to 5 %."""
    return f"{max(5, 5 * round(20 * TWO_SIDED_95 * spread))} %"


def _join(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _capital(text: str) -> str:
    return f"T{text[1:]}" if text.startswith("the ") else text
