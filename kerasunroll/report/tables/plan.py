"""What is going to be measured, and how long that will take."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from kerasunroll.measurement.planning.jobs import Piece, Second, affordable
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS
from kerasunroll.units import format_count, format_seconds


def plan_line(pieces: Sequence[Piece], rules: Rules, places: int = 1) -> str:
    """Return a plan in a sentence or two.

    Args:
        pieces: What is to be done, at least one piece.
        rules: `Rules`. What it may take.
        places: Integer. How many pieces are measured at once. Defaults to 1.

    Returns:
        A string such as `"6 variants in 3 groups, about 2 min 10 s to 2 min 50 s."`.
    """
    fitting = affordable(pieces, rules.seconds_left * places)
    variants = sum(len(piece.works) for piece in pieces)
    line = f"{_count(variants, 'variant')} in {_count(len(pieces), 'group')}"
    if not any(piece.seconds for piece in pieces):
        return f"{line}: all of it has been measured."
    line += f", about {_time(fitting, rules, min(places, len(fitting)))}."
    if len(fitting) < len(pieces):
        line += f" The time suffices for the first {_count(len(fitting), 'group')}; --resume does the others."
    return line


def plan_table(pieces: Sequence[Piece], rules: Rules, second: Second, places: int = 1) -> Table:
    """Return a plan as a table: a line per group, with what is to be done and how long it will take.

    Args:
        pieces: What is to be done, at least one piece.
        rules: `Rules`. What it may take.
        second: What follows the timing.
        places: Integer. How many pieces are measured at once. Defaults to 1.
    """
    fitting = affordable(pieces, rules.seconds_left * places)
    table = Table(title=plan_line(pieces, rules, places), title_justify="left", title_style="")
    table.add_column("group")
    table.add_column("settings")
    limited = rules.deadline < math.inf
    for heading in ("timing", second, *(["in this time"] if limited else [])):
        table.add_column(heading, justify="right")
    for piece in pieces:
        table.add_row(
            Text(piece.works[0].variant.group),
            Text(" ".join(work.variant.setting for work in piece.works)),
            format_seconds(piece.timing_seconds) if piece.timing_seconds else "done",
            format_seconds(piece.second_seconds) if piece.second_seconds else "done",
            *(["yes" if piece in fitting else "no"] if limited else []),
        )
    return table


def _count(number: int, what: str) -> str:
    return f"{format_count(number)} {what}{'' if number == 1 else 's'}"


def _time(pieces: Sequence[Piece], rules: Rules, places: int) -> str:
    """Return the time from as few rounds as possible to as many as allowed."""
    least = sum(piece.seconds for piece in pieces) / places
    more = sum(piece.round_seconds for piece in pieces) / places * (rules.max_rounds - MIN_ROUNDS)
    low, high = (format_seconds(round(min(seconds, rules.seconds_left))) for seconds in (least, least + more))
    return low if low == high else f"{low} to {high}"
