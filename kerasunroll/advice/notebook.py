"""An advice as a notebook shows it."""

from typing import TYPE_CHECKING

from kerasunroll.advice.table import plural, text_table, title_of, unit_of
from kerasunroll.display.colours import setting_colours
from kerasunroll.display.html import html_block, html_picture, html_table, html_text
from kerasunroll.figures.settings import Bar, settings_figure
from kerasunroll.units import format_count, format_seconds

if TYPE_CHECKING:
    from kerasunroll.advice.prediction import Advice


def advice_html(advice: "Advice") -> str:
    """Return the advice in words, the table, and a picture of the times by which settings are compared."""
    unit = unit_of(advice)
    count = f"{format_count(advice.training_steps)} {plural(unit)}" if advice.training_steps else f"a {unit}"
    label = f"Predicted time of {count}"
    colours = setting_colours(each.setting for each in advice.predictions)
    bars = [Bar(each.setting, advice.cost(each), colours[each.setting]) for each in advice.predictions]
    return html_block(
        html_text(advice.text, strong=True),
        html_text(title_of(advice)),
        html_table(text_table(advice), colours),
        html_picture(lambda: settings_figure(label, format_seconds, bars), label),
    )
