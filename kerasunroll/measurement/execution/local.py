"""Measuring on this machine."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from kerasunroll.errors import InputError
from kerasunroll.measurement.execution.executor import Order
from kerasunroll.measurement.planning.jobs import JOBS
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import Tally
from kerasunroll.measurement.records.environment import Environment, environment
from kerasunroll.measurement.stages.memory import count_variants
from kerasunroll.measurement.stages.timing import time_group
from kerasunroll.measurement.stages.training import train_variants


@dataclass(frozen=True)
class LocalExecutor:
    """Measures on this machine.

    First the variants of each group are timed, alone on the machine and in turns. Then all are trained, from the
    same weights on the same batches in the same order, or their memory is counted, several at once.

    Args:
        jobs: Integer. How many variants are trained, or have their memory counted, at once. Defaults to the cores.
    """

    jobs: int = JOBS
    places: int = 1

    @property
    def environments(self) -> Sequence[Environment]:
        """The facts about this machine."""
        return [environment()]

    def run(self, order: Order) -> None:
        """Measure every piece of an order.

        Raises:
            InputError: If a piece is for a kind of node that this machine is not.
        """
        _refuse_other_nodes(order)
        second_seconds = sum(piece.second_seconds for piece in order.pieces)
        tally = Tally(order.seconds, order.tell)
        _time(order, tally)
        # The largest first: the small ones fill the time of the cores beside them.
        missing = sorted(chain(*(piece.second for piece in order.pieces)), key=lambda work: -work.seconds(order.second))
        variants = [work.variant for work in missing]
        part = tally.part(order.second, second_seconds, len(missing))
        if order.second == "memory":
            count_variants(variants, order.rules, part, jobs=self.jobs, keep=order.keep)
        else:
            known = {variant.folder: order.findings.of(variant, "timing") for variant in variants}
            timings = {folder: timing for folder, timing in known.items() if timing}
            train_variants(variants, timings, order.rules, part, jobs=self.jobs, keep=order.keep)


def _refuse_other_nodes(order: Order) -> None:
    for piece in order.pieces:
        first = piece.works[0].variant
        if first.node_kind not in (None, first.node.kind):
            raise InputError(
                f"'{first.group}' is to be measured on a node of the kind {first.node_kind}, this machine is of the "
                f"kind {first.node.kind}. Give --executor ray, in a cluster that has such a node."
            )


def _time(order: Order, tally: Tally) -> None:
    rng = random.Random(order.seed)  # noqa: S311 - the order of turns
    second_seconds = sum(piece.second_seconds for piece in order.pieces)
    for number, piece in enumerate(order.pieces):
        name, seconds = piece.works[0].variant.group, piece.timing_seconds
        if seconds:
            later = sum(each.timing_seconds for each in order.pieces[number + 1 :]) + second_seconds
            time_group(
                [work.variant for work in piece.works],
                _reserving(order.rules, own=seconds, later=later),
                tally.part(name, seconds, len(piece.works) + 1),
                rng,
                keep=order.keep,
            )
            tally.report(name, f"{name}: timed", seconds)
        order.report_timed(piece)


def _reserving(rules: Rules, own: float, later: float) -> Rules:
    """Return rules whose deadline leaves time for what comes later, but does not starve what comes now."""
    return replace(rules, deadline=min(rules.deadline, max(time.monotonic() + 2 * own, rules.deadline - later)))
