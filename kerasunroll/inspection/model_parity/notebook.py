"""Whether two models compute the same, as a notebook shows it."""

from typing import TYPE_CHECKING

from kerasunroll.display.html import html_block, html_picture, html_table, html_text
from kerasunroll.display.margins import Margin, margins_figure

if TYPE_CHECKING:
    from kerasunroll.inspection.model_parity.result import Difference, Parity


def parity_html(parity: "Parity") -> str:
    """Return the verdict, the table, a picture of it and the remarks."""
    verdict, *more = parity.sentences
    margins = _margins(parity)
    label = "Largest difference of each kind beside what rounding explains"
    return html_block(
        html_text(verdict, strong=True),
        html_text(*more),
        html_text(parity.title),
        html_table(parity.table),
        html_picture(lambda: margins_figure(label, margins), label) if margins else "",
        html_text(*parity.remarks),
    )


def _margins(parity: "Parity") -> list[Margin]:
    """Return the worst of each kind in the precision that decides, whenever it was; its scale is taken out."""
    worst: dict[str, Difference] = {}
    for each in parity.worst_of_each_kind:
        if each.dtype == parity.worst.dtype and each.scale > 0:
            worst[each.kind] = max(each, worst.get(each.kind, each), key=lambda one: one.excess)
    return [
        Margin(f"{each.kind} {each.moment}", each.largest / each.scale, each.allowed / each.scale)
        for each in worst.values()
    ]
