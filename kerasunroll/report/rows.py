"""What a comparison found, as rows: one per variant, with its differences to the loop. No TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from kerasunroll.measurement.comparison import Measured
from kerasunroll.measurement.records import Outcome, Record
from kerasunroll.measurement.stats import Comparison, compare_rounds

LOOP = "loop"
ROUNDS = "step_seconds"


@dataclass(frozen=True)
class Row:
    """One variant.

    Args:
        group: String. The stack; rows of one group are compared with each other.
        setting: String. The short name of the setting.
        figures: Dict from name to number: times in seconds, memory in bytes. What was not measured is absent.
        path: String or `None`. What really ran.
        against_loop: `Comparison` or `None`. The time of a training step over that of the loop.
        problems: Tuple of strings. What ended otherwise than `done`, and why.
    """

    group: str
    setting: str
    figures: dict[str, float]
    path: str | None
    against_loop: Comparison | None
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {
            "group": self.group,
            "setting": self.setting,
            "path": self.path,
            "figures": self.figures,
            "against_loop": self.against_loop and self.against_loop.model_dump(mode="json"),
            "problems": list(self.problems),
        }


def comparison_rows(measured: Sequence[Measured]) -> list[Row]:
    """Return one row per variant, in the same order.

    The differences to the loop (to the first setting, where there is no loop) are the largest absolute ones between
    the networks' outputs for the same validation sequences, before and after training.
    """
    rows = []
    for _, group in groupby(measured, key=lambda each: each.variant.group):
        variants = list(group)
        baseline = next((each for each in variants if each.variant.setting == LOOP), variants[0])
        rows += [_row(each, baseline) for each in variants]
    return rows


def _row(measured: Measured, baseline: Measured) -> Row:
    figures = {**measured.timing.figures, **measured.training.figures}
    if measured is not baseline:
        figures |= _differences(measured, baseline)
    return Row(
        group=measured.variant.group,
        setting=measured.variant.setting,
        figures=figures,
        path=measured.timing.path,
        against_loop=_compare_times(measured.timing, baseline.timing) if measured is not baseline else None,
        problems=tuple(_problem(record) for record in (measured.timing, measured.training) if not _is_done(record)),
    )


def _compare_times(timing: Record, baseline: Record) -> Comparison | None:
    ours, theirs = timing.samples.get(ROUNDS), baseline.samples.get(ROUNDS)
    if not ours or not theirs:
        return None
    both = min(len(ours), len(theirs))  # one of the two may have died early
    return compare_rounds(ours[:both], theirs[:both], rng=np.random.default_rng(0))


def _differences(measured: Measured, baseline: Measured) -> dict[str, float]:
    both = (measured, baseline)
    files = [each.variant.folder / "outputs.npz" for each in both]
    # Of a training that was ended, half a file may have been left.
    if not all(_is_done(each.training) and file.exists() for each, file in zip(both, files, strict=True)):
        return {}
    ours, theirs = map(np.load, files)
    return {
        f"largest_difference_{when}": float(np.max(np.abs(ours[when].astype(float) - theirs[when].astype(float))))
        for when in ("before", "after")
    }


def _is_done(record: Record) -> bool:
    return record.outcome is Outcome.DONE


def _problem(record: Record) -> str:
    what = record.configuration["measurement"]
    return f"{what}: {record.outcome} in phase {record.phase}: {record.cause}"
