"""Timing with workers that only pretend, so that every time and every failure is known."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kerasunroll.data import open_source
from kerasunroll.measurement import timing_stage
from kerasunroll.measurement.processes import Limits, WorkerError
from kerasunroll.measurement.progress import Tally
from kerasunroll.measurement.records import Outcome
from kerasunroll.measurement.stats import MAX_ROUNDS, MIN_ROUNDS
from kerasunroll.measurement.variant import Variant
from kerasunroll.training.config import TrainingConfig

SETTINGS = {"loop": False, "full": True, "full,loop": (True, False)}
TRIAL = 1
"""The blocks that a worker is asked for before the first round."""


def fail(phase: str) -> None:
    raise WorkerError(Outcome.OUT_OF_MEMORY, "it used 3 GB of memory, its limit is 2 GB", phase)


def restless(number: int) -> float:
    """Seconds that jump from round to round."""
    return 0.02 * math.exp(random.Random(number).gauss(0, 0.5))


@dataclass
class Acts:
    """How a worker pretends.

    Args:
        seconds: From the round's number (0 is the trial) to the time of a training step.
        fails_at: The number of the block during which it dies; -1 is before any.
        first, trace: Seconds of the first training step, and of the tracing in it.
    """

    seconds: Callable[[int], float] = lambda _: 0.02
    fails_at: int | None = None
    first: float = 2.0
    trace: float = 0.5


@dataclass
class Stage:
    """Everything that happened, in order."""

    acts: dict[str, Acts]
    alive: set[str] = field(default_factory=set)
    turns: list[str] = field(default_factory=list)
    counts: dict[str, list[int]] = field(default_factory=dict)
    alive_at_compile: list[set[str]] = field(default_factory=list)
    alive_in_rounds: list[set[str]] = field(default_factory=list)

    def worker(self, job, *, log_path, on_phase, **_):
        return Pretender(self, job, log_path.parent.name, on_phase)


class Pretender:
    peak_bytes = 700_000_000

    def __init__(self, stage: Stage, job, setting: str, on_phase) -> None:
        assert job["stack"]["unroll"] == SETTINGS[setting] or tuple(job["stack"]["unroll"]) == SETTINGS[setting]
        self.stage, self.setting, self.on_phase = stage, setting, on_phase
        self.acts = stage.acts[setting]
        self.blocks: list[int] = []

    def __enter__(self):
        self.stage.alive.add(self.setting)
        return self

    def __exit__(self, *_):
        self.stage.alive.remove(self.setting)

    def send(self, command):
        self.blocks.append(command["count"])

    def receive(self):
        if not self.blocks:
            return self._ready()
        number = len(self.blocks) - TRIAL
        if number > 0:
            self.stage.turns.append(self.setting)
            self.stage.alive_in_rounds.append(set(self.stage.alive))
        if number == self.acts.fails_at:
            fail("steady")
        self.stage.counts.setdefault(self.setting, []).append(self.blocks[-1])
        return {"seconds": [self.acts.seconds(number)] * self.blocks[-1]}

    def _ready(self):
        for phase in ("import", "build", "compile"):
            self.on_phase(phase)
        self.stage.alive_at_compile.append(set(self.stage.alive))
        if self.acts.fails_at == -1:
            fail("compile")
        figures = {"first_step_seconds": self.acts.first, "trace_seconds": self.acts.trace, "parameters": 7}
        return {"figures": figures, "path": "while"}


@pytest.fixture
def time_them(tmp_path, monkeypatch):
    def time_them(seed: int = 0, **acts: Acts):
        settings = {"loop": "loop", "full": "full", "mixed": "full,loop"}
        stage = Stage({settings[name]: each for name, each in acts.items()})
        monkeypatch.setattr(timing_stage, "Worker", stage.worker)
        source = open_source("adding", timesteps=4, examples=40)
        variants = [
            Variant(
                TrainingConfig.for_source(source, cell="lstm", units=(2, 2), unroll=SETTINGS[setting]),
                tmp_path / setting,
            )
            for setting in stage.acts
        ]
        shares: list[float] = []
        tally = Tally(len(variants) + 1, lambda news: shares.append(news.done))
        records = timing_stage.time_group(variants, Limits(), tally, random.Random(seed))
        assert shares == sorted(shares)
        return dict(zip(stage.acts, records, strict=True)), stage

    return time_them


def test_a_record_tells_the_five_times_apart(time_them):
    records, _ = time_them(loop=Acts(first=2.0, trace=0.5), full=Acts(lambda _: 0.01, first=9.0, trace=4.0))
    loop, full = records["loop"], records["full"]
    assert (loop.outcome, loop.path, loop.variant) == (Outcome.DONE, "while", "loop")
    assert loop.figures["step_seconds"] == pytest.approx(0.02)
    assert loop.figures["compile_seconds"] == pytest.approx(2.0 - 0.5 - 0.02)
    assert full.figures["compile_seconds"] == pytest.approx(9.0 - 4.0 - 0.01)
    assert loop.figures["process_peak_bytes"] == 700_000_000
    assert loop.figures["parameters"] == 7


def test_two_settings_answer_one_question(time_them):
    records, _ = time_them(loop=Acts(), full=Acts())
    assert records["loop"].configuration == records["full"].configuration
    assert records["loop"].key != records["full"].key


def test_compile_time_is_never_negative(time_them):
    """The first training step of a network so small may be shorter than the later ones were on average."""
    records, _ = time_them(loop=Acts(first=0.51, trace=0.5))
    assert records["loop"].figures["compile_seconds"] == 0


def test_each_compiles_while_no_other_computes_and_all_take_turns(time_them):
    _, stage = time_them(loop=Acts(), full=Acts(), mixed=Acts())
    everyone = {"loop", "full", "full,loop"}
    assert stage.alive_at_compile == [{"loop"}, {"loop", "full"}, everyone]  # those before are waiting
    rounds = [stage.turns[start : start + 3] for start in range(0, len(stage.turns), 3)]
    assert all(set(turns) == everyone for turns in rounds)
    assert len({tuple(turns) for turns in rounds}) > 1
    assert all(alive == everyone for alive in stage.alive_in_rounds)
    assert stage.alive == set()


def test_the_order_of_turns_can_be_drawn_again(time_them):
    first, second, other = (time_them(seed, loop=Acts(), full=Acts())[1].turns for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [
        pytest.param(lambda number: 0.01 * (1 + number), MIN_ROUNDS, id="both get slower alike"),
        pytest.param(lambda number: restless(1000 + number), MAX_ROUNDS, id="the ratio jumps"),
    ],
)
def test_rounds_go_on_until_the_ratio_is_known(time_them, seconds, rounds):
    records, _ = time_them(loop=Acts(seconds), full=Acts(seconds if rounds == MIN_ROUNDS else restless))
    for record in records.values():
        assert len(record.samples["step_seconds"]) == rounds


def test_one_setting_alone_is_timed_too(time_them):
    records, _ = time_them(loop=Acts())
    assert len(records["loop"].samples["step_seconds"]) == MIN_ROUNDS


@pytest.mark.parametrize(("seconds", "count"), [(timing_stage.BLOCK_SECONDS / 4, 4), (1e-5, 50), (3.0, 2)])
def test_a_block_takes_about_as_long_for_fast_and_slow_networks(time_them, seconds, count):
    records, _ = time_them(loop=Acts(lambda _: seconds))
    assert {len(block) for block in records["loop"].samples["step_seconds"]} == {count}


@pytest.mark.parametrize("who", ["loop", "full", "mixed"])
@pytest.mark.parametrize(
    ("fails_at", "rounds", "phase"),
    [
        (-1, 0, "compile"),
        (0, 0, "steady"),
        (1, 0, "steady"),
        (4, 3, "steady"),
        (MIN_ROUNDS + 2, MIN_ROUNDS + 1, "steady"),
    ],
)
def test_one_that_dies_is_recorded_and_the_others_go_on(time_them, who, fails_at, rounds, phase):
    # More than the fewest rounds, so that one can die in a late one.
    acts = {name: Acts(restless if name == "full" else Acts.seconds) for name in ("loop", "full", "mixed")}
    acts[who].fails_at = fails_at
    records, stage = time_them(**acts)
    dead = records.pop("full,loop" if who == "mixed" else who)
    assert (dead.outcome, dead.phase) == (Outcome.OUT_OF_MEMORY, phase)
    assert dead.cause == "it used 3 GB of memory, its limit is 2 GB"
    assert len(dead.samples.get("step_seconds", [])) == rounds
    assert ("step_seconds" in dead.figures) == (rounds > 0)
    assert {record.outcome for record in records.values()} == {Outcome.DONE}
    assert len({len(record.samples["step_seconds"]) for record in records.values()}) == 1
    assert all(len(record.samples["step_seconds"]) >= MIN_ROUNDS for record in records.values())
    assert stage.alive == set()


@pytest.mark.parametrize("fails_at", [-1, 2, MIN_ROUNDS])
def test_all_may_die(time_them, fails_at):
    records, _ = time_them(loop=Acts(fails_at=fails_at), full=Acts(fails_at=fails_at))
    assert {record.outcome for record in records.values()} == {Outcome.OUT_OF_MEMORY}
