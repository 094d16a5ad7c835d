"""Timing with workers that only pretend, so that every time and every failure is known."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from kerasunroll.data import open_source
from kerasunroll.measurement.planning import rules as rules_module
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages import timing as timing_stage
from kerasunroll.measurement.statistics.rounds import MAX_ROUNDS, MIN_ROUNDS
from kerasunroll.measurement.workers.preloaded import Imported
from kerasunroll.measurement.workers.worker import Limits, WorkerError
from kerasunroll.training.config import TrainingConfig

SETTINGS = {"loop": False, "full": True, "full,loop": (True, False)}
TRIAL = 1
"""The blocks that a worker is asked for before the first round."""


BLOCK_SECONDS = timing_stage.TRAINING_STEP.block_seconds
BUDGET_SPENT = "the time budget was spent"
XLA_LINE = (
    "I0000 00:00:17 9 device_compiler.h:538] Compilation of XLA executable time: 1.5 s (1500000 us) (cumulative: 9 s)"
)


def fail(phase: str) -> None:
    raise WorkerError(Outcome.OUT_OF_MEMORY, "it used 3 GB of memory, its limit is 2 GB", phase)


def restless(number: int) -> float:
    """Seconds that jump from round to round."""
    return 0.02 * math.exp(random.Random(number).gauss(0, 0.5))


class Clock:
    """The time as the rules see it; whoever takes time moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Acts:
    """How a worker pretends.

    Args:
        seconds: From the round's number (0 is the trial) to the time of a training step.
        fails_at: The number of the block during which it dies; -1 is before any.
        fails_in: What it is doing when it dies of something else than a training step.
        interrupts_at: The number of the block during which the user presses Ctrl-C; -1 is before any.
        first, trace: Seconds of the first training step, and of the tracing in it.
        compiles: Seconds that it needs to get ready.
        loss: From the number of the block to the loss after it.
        log: What is in its log when it is ready.
    """

    seconds: Callable[[int], float] = lambda _: 0.02
    fails_at: int | None = None
    fails_in: str | None = None
    interrupts_at: int | None = None
    first: float = 2.0
    trace: float = 0.5
    compiles: float = 1.0
    loss: Callable[[int], float] = lambda _: 0.5
    log: str = ""


@dataclass
class Stage:
    """Everything that happened, in order."""

    acts: dict[str, Acts]
    clock: Clock = field(default_factory=Clock)
    alive: set[str] = field(default_factory=set)
    turns: list[tuple[str, str]] = field(default_factory=list)
    alive_at_compile: list[set[str]] = field(default_factory=list)
    alive_in_rounds: list[set[str]] = field(default_factory=list)
    kept: list[Record] = field(default_factory=list)

    def worker(self, job, *, log_path, on_phase, **_):
        log_path.parent.mkdir(exist_ok=True)
        log_path.write_text(self.acts[log_path.parent.name].log)
        return Pretender(self, job, log_path.parent.name, on_phase)


class Pretender:
    imported = None

    def __init__(self, stage: Stage, job, setting: str, on_phase) -> None:
        assert job["stack"]["unroll"] == SETTINGS[setting] or tuple(job["stack"]["unroll"]) == SETTINGS[setting]
        self.stage, self.setting, self.on_phase = stage, setting, on_phase
        self.acts = stage.acts[setting]
        self.phase = "start"
        self.commands: list[dict[str, Any]] = []
        self.answered: list[str] = []

    def __enter__(self):
        self.stage.alive.add(self.setting)
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.stage.alive.discard(self.setting)

    def send(self, command):
        self.commands.append(command)

    def receive(self, timeout):
        if not self.commands:
            return self._ready(timeout)
        command = self.commands[-1]
        what = command["what"]
        if what == self.acts.fails_in:
            fail("forward")
        if what == "compile_forward":
            return {"figures": {"forward_nodes": 99}}
        number = self.answered.count(what) + 1 - TRIAL
        self.answered.append(what)
        if number > 0:
            self.stage.turns.append((what, self.setting))
            self.stage.alive_in_rounds.append(set(self.stage.alive))
        if what != "training_step":
            return {"seconds": [0.004 if what == "forward" else 0.005] * command["count"]}
        if number == self.acts.interrupts_at:
            raise KeyboardInterrupt
        if number == self.acts.fails_at:
            fail("steady")
        block = [self.acts.seconds(number)] * command["count"]
        self._spend(sum(block), timeout)
        return {"seconds": block, "loss": self.acts.loss(number)}

    def _ready(self, timeout):
        for self.phase in ("import", "build", "compile"):
            self.on_phase(self.phase)
        self.stage.alive_at_compile.append(set(self.stage.alive))
        if self.acts.fails_at == -1:
            fail("compile")
        if self.acts.interrupts_at == -1:
            raise KeyboardInterrupt
        self._spend(self.acts.compiles, timeout)
        self.phase = "steady"
        figures = {
            "import_seconds": 4.0,
            "first_step_seconds": self.acts.first,
            "trace_seconds": self.acts.trace,
            "parameters": 7,
            "process_start_bytes": 500,
            "process_growth_bytes": 100,
        }
        return {"figures": figures, "operations": {"MatMul": 3}, "path": "while"}

    def _spend(self, seconds: float, timeout: float) -> None:
        """Let time pass, as the real worker's `receive` does."""
        self.stage.clock.now += min(seconds, timeout)
        if seconds > timeout:
            raise WorkerError(Outcome.TIMEOUT, f"it did not answer within {timeout} s", self.phase)


@pytest.fixture
def stage_of(monkeypatch):
    def stage_of(**acts: Acts) -> Stage:
        settings = {"loop": "loop", "full": "full", "mixed": "full,loop"}
        stage = Stage({settings[name]: each for name, each in acts.items()})
        monkeypatch.setattr(timing_stage, "Worker", stage.worker)
        monkeypatch.setattr(rules_module, "time", SimpleNamespace(monotonic=stage.clock))
        return stage

    return stage_of


@pytest.fixture
def run(tmp_path):
    """Time the variants of a stage; `budget` is the time in seconds that there is."""

    def run(stage: Stage, seed: int = 0, budget: float = math.inf, **rules):
        source = open_source("adding", timesteps=4, examples=40)
        variants = [
            Variant(
                TrainingConfig.for_source(source, cell="lstm", units=(2, 2), unroll=SETTINGS[setting]),
                tmp_path / setting,
            )
            for setting in stage.acts
        ]
        shares: list[float] = []
        counter = ProgressCounter(len(variants) + 1, lambda progress: shares.append(progress.done))
        rules = Rules(
            Limits(), deadline=stage.clock.now + budget, **{"processes": 1, "places": 1, "inference": True} | rules
        )
        records = timing_stage.time_group(variants, rules, counter, random.Random(seed), keep=stage.kept.append)
        assert shares == sorted(shares)
        assert stage.kept == records
        return dict(zip(stage.acts, records, strict=True))

    return run


@pytest.fixture
def time_them(stage_of, run):
    def time_them(seed: int = 0, budget: float = math.inf, rules=None, **acts: Acts):
        stage = stage_of(**acts)
        return run(stage, seed, budget, **(rules or {})), stage

    return time_them


def test_a_record_tells_the_five_times_apart(time_them):
    records, _ = time_them(loop=Acts(first=2.0, trace=0.5), full=Acts(lambda _: 0.01, first=9.0, trace=4.0))
    loop, full = records["loop"], records["full"]
    assert (loop.outcome, loop.path, loop.variant) == (Outcome.DONE, "while", "loop")
    assert loop.figures["step_seconds"] == pytest.approx(0.02)
    assert loop.figures["compile_seconds"] == pytest.approx(2.0 - 0.5 - 0.02)
    assert full.figures["compile_seconds"] == pytest.approx(9.0 - 4.0 - 0.01)
    assert loop.figures["parameters"] == 7
    assert dict(loop.operations) == {"MatMul": 3}


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
    # What takes longest begins; those before are waiting.
    assert stage.alive_at_compile == [{"full"}, {"full", "full,loop"}, everyone]
    rounds = [stage.turns[start : start + 3] for start in range(0, len(stage.turns), 3)]
    assert all({who for _, who in turns} == everyone for turns in rounds)
    assert [turns[0][0] for turns in rounds] == ["training_step"] * 10 + ["forward"] * 10 + ["predict"] * 10
    assert len({tuple(turns) for turns in rounds}) > 3
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
        assert len(record.samples["step_seconds"][0]) == rounds
        assert record.stopped_by == ("width" if rounds == MIN_ROUNDS else "rounds")


@pytest.mark.parametrize(
    ("rules", "rounds", "stopped_by"),
    [({"max_rounds": 15}, 15, "rounds"), ({"half_width": 9.0}, MIN_ROUNDS, "width")],
)
def test_width_and_number_of_rounds_are_the_caller_s(time_them, rules, rounds, stopped_by):
    records, _ = time_them(loop=Acts(), full=Acts(restless), rules=rules)
    for record in records.values():
        assert (len(record.samples["step_seconds"][0]), record.stopped_by) == (rounds, stopped_by)


def test_forward_pass_and_predict_are_timed_apart(time_them):
    records, _ = time_them(loop=Acts(), full=Acts(restless))
    for record in records.values():
        assert record.figures["forward_nodes"] == 99
        assert record.figures["forward_seconds"] == pytest.approx(0.004)
        assert record.figures["predict_seconds"] == pytest.approx(0.005)
        assert [len(record.samples[name][0]) for name in ("forward_seconds", "predict_seconds")] == [MIN_ROUNDS] * 2


def test_one_that_cannot_compile_the_forward_pass_keeps_its_training_steps(time_them):
    records, _ = time_them(loop=Acts(), full=Acts(fails_in="compile_forward"))
    full = records["full"]
    assert (full.outcome, full.phase) == (Outcome.OUT_OF_MEMORY, "forward")
    assert full.figures["step_seconds"] == pytest.approx(0.02)
    assert records["loop"].figures["forward_seconds"] == pytest.approx(0.004)


def test_what_xla_compiled_is_told_only_where_it_did(time_them):
    records, _ = time_them(loop=Acts(log=f"{XLA_LINE}\n{XLA_LINE}\n"), full=Acts(log="nothing\n"))
    assert records["loop"].figures["xla_compile_seconds"] == 3
    assert "xla_compile_seconds" not in records["full"].figures


def test_records_of_one_call_share_a_session_and_those_of_two_do_not(time_them):
    first, second = (time_them(loop=Acts(), full=Acts())[0] for _ in range(2))
    assert first["loop"].session == first["full"].session != second["loop"].session == second["full"].session


def test_one_setting_alone_is_timed_too(time_them):
    records, _ = time_them(loop=Acts())
    assert len(records["loop"].samples["step_seconds"][0]) == MIN_ROUNDS


@pytest.mark.parametrize(("seconds", "count"), [(BLOCK_SECONDS / 4, 4), (1e-5, 50), (3.0, 1)])
def test_a_block_takes_about_as_long_for_fast_and_slow_networks(time_them, seconds, count):
    records, _ = time_them(loop=Acts(lambda _: seconds))
    assert {len(block) for block in records["loop"].samples["step_seconds"][0]} == {count}


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
    assert len(dead.samples.get("step_seconds", [[]])[0]) == rounds
    assert ("step_seconds" in dead.figures) == (rounds > 0)
    assert {record.outcome for record in records.values()} == {Outcome.DONE}
    assert len({len(record.samples["step_seconds"][0]) for record in records.values()}) == 1
    assert all(len(record.samples["step_seconds"][0]) >= MIN_ROUNDS for record in records.values())
    assert stage.alive == set()


@pytest.mark.parametrize("fails_at", [-1, 2, MIN_ROUNDS])
def test_all_may_die(time_them, fails_at):
    records, _ = time_them(loop=Acts(fails_at=fails_at), full=Acts(fails_at=fails_at))
    assert {record.outcome for record in records.values()} == {Outcome.OUT_OF_MEMORY}


@pytest.mark.parametrize(("loss", "word"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_a_loss_that_is_no_number_is_told_and_the_times_are_kept(time_them, loss, word):
    records, _ = time_them(loop=Acts(loss=lambda number: loss if number > 5 else 0.5), full=Acts())
    diverged = records["loop"]
    assert diverged.outcome is Outcome.DIVERGED
    # The first one, three for the trial, and ten blocks of four.
    assert diverged.cause == (
        f"the loss became {word} within 44 training steps on one batch: lower the learning rate, clip the gradient, or "
        "look for NaN in the data"
    )
    assert diverged.figures["step_seconds"] == pytest.approx(0.02)
    assert len(diverged.samples["predict_seconds"][0]) == MIN_ROUNDS
    assert records["full"].outcome is Outcome.DONE


class TestSeveralProcesses:
    def test_each_variant_has_three_and_all_take_turns(self, time_them):
        records, stage = time_them(loop=Acts(), full=Acts(lambda _: 0.01), rules={"processes": 3})
        turns = [who for what, who in stage.turns if what == "training_step"]
        assert [turns[start : start + 6].count("loop") for start in range(0, len(turns), 6)] == [3] * MIN_ROUNDS
        for record in records.values():
            assert [len(rounds) for rounds in record.samples["step_seconds"]] == [MIN_ROUNDS] * 3
            assert [len(rounds) for rounds in record.samples["forward_seconds"]] == [MIN_ROUNDS] * 2
            assert record.samples["first_step_seconds"] == (((2.0,),),) * 3
            assert record.environment.import_seconds == 4
        assert stage.alive == set()

    def test_what_each_gives_once_is_their_mean_with_its_compile_time(self, time_them, monkeypatch):
        first = iter((2.0, 3.0, 4.0))
        monkeypatch.setattr(Acts, "first", property(lambda _: next(first), lambda *_: None))
        records, _ = time_them(loop=Acts(), rules={"processes": 3})
        loop = records["loop"]
        assert loop.figures["first_step_seconds"] == 3
        assert [rounds[0][0] for rounds in loop.samples["compile_seconds"]] == pytest.approx([1.48, 2.48, 3.48])
        assert loop.figures["compile_seconds"] == pytest.approx(2.48)

    def test_where_one_fails_the_variant_has_failed_and_its_others_end(self, time_them, monkeypatch):
        started = []

        def worker(stage, job, *, log_path, on_phase, **_):
            started.append(log_path)
            made = Pretender(stage, job, log_path.parent.name, on_phase)
            if log_path.name == "timing_2.log" and made.setting == "full":
                made.acts = replace(made.acts, fails_at=-1)
            log_path.parent.mkdir(exist_ok=True)
            log_path.touch()
            return made

        monkeypatch.setattr(Stage, "worker", worker)
        records, stage = time_them(loop=Acts(), full=Acts(), rules={"processes": 3})
        assert (records["full"].outcome, records["loop"].outcome) == (Outcome.OUT_OF_MEMORY, Outcome.DONE)
        assert [path.name for path in started if path.parent.name == "full"] == ["timing.log", "timing_2.log"]
        assert {who for _, who in stage.turns} == {"loop"}

    def test_where_time_is_short_there_is_but_one_of_each(self, time_them):
        records, stage = time_them(loop=Acts(), full=Acts(), rules={"processes": 3}, budget=2 + 5)
        assert len(stage.alive_at_compile) == 2
        assert all(len(record.samples["step_seconds"]) == 1 for record in records.values())
        _, stage = time_them(loop=Acts(), full=Acts(), rules={"processes": 3}, budget=2 + 60)
        assert len(stage.alive_at_compile) == 6

    def test_where_memory_is_short_one_of_each_takes_turns_and_the_others_tell_how_they_compile(
        self, time_them, monkeypatch
    ):
        monkeypatch.setattr(timing_stage.psutil, "virtual_memory", lambda: SimpleNamespace(available=150, total=10**9))
        records, _ = time_them(loop=Acts(), full=Acts(), rules={"processes": 3})
        for record in records.values():
            assert len(record.samples["step_seconds"]) == 1
            assert len(record.samples["compile_seconds"]) == 3

    def test_the_import_of_a_forked_worker_was_that_of_the_process_before_it(self, time_them, monkeypatch):
        monkeypatch.setattr(Pretender, "imported", Imported(seconds=3.5, resident_bytes=7000), raising=False)
        records, _ = time_them(loop=Acts())
        loop = records["loop"]
        assert loop.environment.import_seconds == 3.5
        assert (loop.figures["process_start_bytes"], loop.figures["process_peak_bytes"]) == (7000, 7100)


class TestBudget:
    """A block takes 0.08 s, a trial 0.06 s, getting ready 1 s; nothing else takes time."""

    def test_rounds_end_when_it_is_spent(self, time_them):
        records, _ = time_them(loop=Acts(), full=Acts(restless), budget=2.12 + 7 * 0.16)
        assert 1 <= len(records["loop"].samples["step_seconds"][0]) < MIN_ROUNDS
        for record in records.values():
            assert (record.outcome, record.stopped_by) == (Outcome.DONE, "budget")
            assert "step_seconds" in record.figures
            assert "forward_seconds" not in record.figures

    def test_one_that_had_no_turn_is_to_be_measured_again(self, time_them):
        records, stage = time_them(loop=Acts(), full=Acts(), budget=2.12 + 0.01)
        (turn,) = stage.turns
        for name, record in records.items():
            had_time = name == turn[1] and "step_seconds" in record.samples
            assert had_time == (record.outcome is Outcome.DONE)
        assert {record.cause for record in records.values() if record.outcome is Outcome.INTERRUPTED} == {BUDGET_SPENT}

    def test_what_compiles_for_too_long_is_ended_and_what_comes_after_is_not_begun(self, time_them):
        records, stage = time_them(loop=Acts(), full=Acts(), mixed=Acts(compiles=500), budget=60)
        loop, full, mixed = records.values()
        assert {record.outcome for record in records.values()} == {Outcome.INTERRUPTED}
        assert {record.cause for record in records.values()} == {BUDGET_SPENT}
        assert (mixed.phase, loop.phase) == ("compile", "start")
        assert full.figures["first_step_seconds"] == 2
        assert dict(mixed.figures) == dict(loop.figures) == {}
        assert stage.alive_at_compile == [{"full"}, {"full", "full,loop"}]
        assert stage.alive == set()

    def test_a_limit_of_its_own_remains_one(self, time_them, monkeypatch):
        def too_long(worker, timeout):
            raise WorkerError(Outcome.TIMEOUT, "it took longer than its limit of 10 s", "compile")

        monkeypatch.setattr(Pretender, "_ready", too_long)
        records, _ = time_them(loop=Acts(), budget=60)
        assert (records["loop"].outcome, records["loop"].cause) == (
            Outcome.TIMEOUT,
            "it took longer than its limit of 10 s",
        )


class TestCtrlC:
    def test_what_was_measured_is_kept(self, stage_of, run):
        stage = stage_of(loop=Acts(), full=Acts(interrupts_at=4), mixed=Acts(fails_at=2))
        with pytest.raises(KeyboardInterrupt):
            run(stage)
        loop, full, mixed = stage.kept
        for record in (loop, full):
            assert (record.outcome, record.cause) == (Outcome.INTERRUPTED, "interrupted by the user")
            assert record.figures["step_seconds"] == pytest.approx(0.02)
            assert record.figures["first_step_seconds"] == 2
        assert len(full.samples["step_seconds"][0]) == 3
        assert mixed.outcome is Outcome.OUT_OF_MEMORY  # that had been found out before
        assert stage.alive == set()

    def test_what_has_nothing_yet_gives_no_record(self, stage_of, run):
        stage = stage_of(loop=Acts(), full=Acts(), mixed=Acts(interrupts_at=-1))
        with pytest.raises(KeyboardInterrupt):
            run(stage)
        (full,) = stage.kept
        assert (full.variant, full.figures["first_step_seconds"]) == ("full", 2)
        assert stage.alive == set()

    def test_any_other_exception_is_no_less_careful(self, stage_of, run, monkeypatch):
        def full_disk(*_, **__):
            raise OSError("No space left on device")

        stage = stage_of(loop=Acts(), full=Acts())
        monkeypatch.setattr(timing_stage, "compare_rounds", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run(stage)
        assert {record.cause for record in stage.kept} == {"interrupted by OSError: No space left on device"}
        assert [len(record.samples["step_seconds"][0]) for record in stage.kept] == [MIN_ROUNDS] * 2
