"""Plans: what is still to be done, what fits into a time, and going on where an earlier run ended."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError, InputError
from kerasunroll.measurement.planning.estimate import Estimate, compile_seconds, estimate, training_step_seconds
from kerasunroll.measurement.planning.findings import Findings
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.jobs import AT_ONCE, affordable, outstanding
from kerasunroll.measurement.planning.plan import PLAN_FILE, Plan, earlier_records
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.training.threads import Threads

OPTIONS = {"source": "adding", "examples": 64, "seed": 0}
ENVIRONMENT = environment()


def plan(timesteps=(4, 6), settings=("loop", "full"), follow_up="memory", **options) -> Plan:
    grid = Grid(["lstm"], [(3,)], [], list(timesteps), [8], [False], [None], list(settings))
    return Plan.of_grid(grid, OPTIONS | options, follow_up)


def planned(tmp_path, seconds=(10.0, 4.0, 8.0), **options):
    """Every variant: 10 s to time, 4 s to count, 8 s to train."""
    fixed = Estimate(*seconds, rounds=0.5)
    return [replace(one, estimate=fixed) for one in plan(**options).planned(tmp_path)]


def record(one, measurement="timing", outcome=Outcome.DONE, session="one", environment=ENVIRONMENT, **more) -> Record:
    return Record(
        configuration=one.variant.question(measurement),
        variant=one.variant.setting,
        outcome=outcome,
        cause=None if outcome is Outcome.DONE else "it was so",
        session=session,
        environment=environment,
        **more,
    )


def test_a_plan_comes_back_from_its_folder(tmp_path):
    made = plan(settings=("loop", "full"), follow_up="training")
    made.save(tmp_path)
    assert Plan.load(tmp_path) == made
    assert [one.variant.folder.relative_to(tmp_path).parts for one in made.planned(tmp_path)] == [
        ("lstm-L1-U3-T4-B8", "loop"),
        ("lstm-L1-U3-T4-B8", "full"),
        ("lstm-L1-U3-T6-B8", "loop"),
        ("lstm-L1-U3-T6-B8", "full"),
    ]


def test_fewer_threads_are_reckoned_to_take_longer_than_all_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    grid = Grid(["lstm"], [(512,)], [], [4], [8], [False], [None], ["loop"], [None, Threads(1), Threads(64)])
    own, one, many = map(training_step_seconds, grid.configs(lambda t: open_source("adding", timesteps=t), {}))
    assert one > 2 * own
    assert many == own  # more than there are cores help nobody


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no plan.json to read"),
        ("{", "is no plan of kerasunroll"),
        (json.dumps({"schema_version": 9}), "is no plan of kerasunroll"),
    ],
)
def test_a_folder_without_a_plan_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / PLAN_FILE).write_text(content)
    with pytest.raises(InputError, match=message):
        Plan.load(tmp_path)


def test_a_plan_with_an_impossible_variant_is_refused(tmp_path):
    plan().save(tmp_path)
    path = tmp_path / PLAN_FILE
    path.write_text(path.read_text().replace('"batch_size": 8', '"batch_size": -8'))
    with pytest.raises(InputError, match="batch_size"):
        Plan.load(tmp_path)


def test_data_that_have_changed_are_noticed(tmp_path):
    def save(sequences):
        np.savez(tmp_path / "data.npz", x=np.ones((sequences, 5, 2)), y=np.ones(sequences))

    save(40)
    made = plan(timesteps=(None,), source=f"npz:{tmp_path / 'data.npz'}", examples=None)
    made.check_sources(Path())
    save(50)
    with pytest.raises(InputError, match="The data have changed"):
        made.check_sources(Path())
    (tmp_path / "data.npz").unlink()
    with pytest.raises(DataError, match=r"data\.npz"):
        made.check_sources(Path())


def test_what_is_finished_is_not_done_again(tmp_path):
    every = planned(tmp_path)
    known = Findings([record(every[0]), record(every[1], outcome=Outcome.TIMEOUT), record(every[1], "memory")])
    first, second = outstanding(every, "memory", known)
    assert first.timing_seconds == 0
    assert first.follow_up == [every[0]]
    assert first.follow_up_seconds == pytest.approx(4 / AT_ONCE)
    assert (second.timing_seconds, second.follow_up) == (20, every[2:])


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"outcome": Outcome.INTERRUPTED}, id="interrupted"),
        pytest.param({"session": "another"}, id="not in turns with the other"),
        pytest.param(None, id="missing"),
    ],
)
def test_a_group_is_timed_together_or_again(tmp_path, known):
    every = planned(tmp_path, timesteps=(4,))
    records = [record(every[0])] + ([] if known is None else [record(every[1], **known)])
    (group_job,) = outstanding(every, "memory", Findings(records))
    assert group_job.timing_seconds == 20


def test_a_finished_record_counts_more_than_a_later_interrupted_one(tmp_path):
    one, *_ = planned(tmp_path)
    done = record(one, figures={"step_seconds": 0.01})
    interrupted = record(one, outcome=Outcome.INTERRUPTED)
    assert interrupted.created > done.created
    for known in ([done, interrupted], [interrupted, done]):
        assert Findings(known).measured(one.variant).timing == done


@pytest.mark.parametrize(
    ("seconds", "groups"), [(1, 1), (45, 1), (20 + 8 / AT_ONCE, 1), (40 + 16 / AT_ONCE, 2), (1e9, 3)]
)
def test_a_budget_takes_the_first_groups_that_fit(tmp_path, seconds, groups):
    group_jobs = outstanding(planned(tmp_path, timesteps=(4, 6, 8)), "memory", Findings())
    if seconds == 45:
        seconds = 40 + 16 / AT_ONCE - 0.1
    assert affordable(group_jobs, seconds) == group_jobs[:groups]


def test_what_is_done_already_costs_nothing_of_a_budget(tmp_path):
    every = planned(tmp_path, timesteps=(4, 6, 8))
    known = Findings([record(one, kind) for one in every[:2] for kind in ("timing", "memory")])
    assert len(affordable(outstanding(every, "memory", known), 25)) == 2


def test_records_of_another_environment_are_refused_with_what_differs(tmp_path):
    other = ENVIRONMENT.model_copy(update={"cpu": "Zuse Z3"})
    store.save(record(planned(tmp_path)[0], environment=other), tmp_path / RECORDS)
    with pytest.raises(InputError, match="cpu: Zuse Z3 against"):
        earlier_records(tmp_path)
    assert len(earlier_records(tmp_path, mix_environments=True).records) == 1


@pytest.mark.parametrize(
    ("cell", "setting", "first_training_step", "training_step"),
    [
        ("lstm", "loop", 1.8, 0.0157),
        ("lstm", "full", 7.1, 0.0132),
        ("gru", "loop", 2.1, 0.0177),
        ("gru", "full", 13.8, 0.0153),
        ("simple_rnn", "loop", 1.6, 0.0083),
        ("simple_rnn", "full", 3.5, 0.0048),
    ],
)
def test_estimates_are_right_to_a_factor_of_two_and_a_half(cell, setting, first_training_step, training_step):
    """Against seconds that were measured on 2 cores: digits, 2x64 units."""
    grid = Grid([cell], [(64, 64)], [], [None], [32], [False], [None], [setting])
    (config,) = Plan.of_grid(grid, {"source": "digits", "examples": None, "seed": 0}, "memory").configs
    assert 0.4 < compile_seconds(config) / first_training_step < 2.5
    assert 0.4 < training_step_seconds(config) * (os.cpu_count() or 1) / 2 / training_step < 2.5


def test_more_work_is_estimated_to_take_longer():
    def seconds(kind, setting="loop", **options):
        (config,) = plan(timesteps=(100,), settings=(setting,)).configs
        return getattr(estimate(config.model_copy(update=options), 1000), kind)

    assert seconds("timing", "full") > seconds("timing", "k8") > seconds("timing")
    assert seconds("timing", "full", jit_compile=True) > seconds("timing", "full") + 30
    assert seconds("training", epochs=20) > seconds("training", epochs=1)
