"""What does not need a cluster: files on their way, kinds of nodes, and reaching a cluster that is not there."""

import math
import re
import socket
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.execution.connection import connected
from kerasunroll.measurement.execution.executor import Schedule
from kerasunroll.measurement.execution.local import LocalExecutor
from kerasunroll.measurement.execution.remote_job import RemoteJob, measure_remote_job
from kerasunroll.measurement.execution.shipping import NewFiles, ShippedFile, named_files, put_down, with_files
from kerasunroll.measurement.planning.estimate import Estimate
from kerasunroll.measurement.planning.findings import Findings
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.jobs import PlannedVariant, outstanding
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Placement, Variant
from kerasunroll.measurement.records.environment import differences, environment
from kerasunroll.measurement.records.node import Node, node_kind, this_node
from kerasunroll.measurement.records.record import Record, record_key
from kerasunroll.measurement.records.table import to_dataframe
from kerasunroll.report.rows import comparison_rows
from kerasunroll.report.run import planned_training_steps
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.training.config import TrainingConfig

OPTIONS = {"source": "adding", "examples": 64, "seed": 0}
KINDS = ("Zuse-Z3", "Zuse-Z4")


def plan(timesteps=(4,), **options) -> Plan:
    grid = Grid(["lstm"], [(3,)], [], list(timesteps), [8], [False], [None], ["loop", "full"])
    return Plan.of_grid(grid, OPTIONS, "memory", **options)


@pytest.fixture
def text_config(tmp_path) -> TrainingConfig:
    poem = tmp_path / "poem.txt"
    poem.write_text("the rain in spain stays mainly in the plain\n" * 12)
    spec = f"text:{poem}"
    source = open_source(spec, timesteps=5)
    return TrainingConfig.for_source(source, cell="gru", units=(2,), source=spec, timesteps=5, batch_size=4)


class TestFiles:
    def test_data_are_read_where_they_were_unpacked(self, text_config, tmp_path):
        (name,) = named_files(text_config)
        moved = with_files(text_config, {name: ShippedFile.of(name).unpack(tmp_path / "node")})
        assert moved.source != text_config.source
        assert moved.open_source().describe() == text_config.open_source().describe()

    def test_options_and_every_file_of_a_source_go_along(self, tmp_path):
        (tmp_path / "a?.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(40)))
        (tmp_path / "arrays").mkdir()
        np.save(tmp_path / "arrays" / "x.npy", np.zeros((9, 5, 1)))
        np.save(tmp_path / "arrays" / "y.npy", np.arange(9) % 2)
        for spec in (f"csv:{tmp_path}/a%3F.csv?target=b&horizon=2", f"npy:{tmp_path}/arrays"):
            source = open_source(spec, timesteps=5)
            config = TrainingConfig.for_source(source, cell="gru", units=(2,), source=spec, timesteps=5, batch_size=4)
            moved = with_files(
                config, {name: ShippedFile.of(name).unpack(tmp_path / "node") for name in named_files(config)}
            )
            assert str(tmp_path / "node") in moved.source
            there = moved.open_source()
            assert there.y_train.tolist() == source.y_train.tolist()
            assert there.notes == source.notes

    def test_what_is_measured_elsewhere_answers_the_same_question(self, text_config, tmp_path):
        (name,) = named_files(text_config)
        moved = with_files(text_config, {name: tmp_path / "elsewhere.txt"})
        here = Variant(text_config, tmp_path)
        there = Variant(text_config, tmp_path, placement=Placement(this_node(), moved))
        assert there.question("timing") == here.question("timing")
        assert there.job["source"] == f"text:{tmp_path / 'elsewhere.txt'}"

    def test_what_was_damaged_on_its_way_is_refused(self, tmp_path):
        (tmp_path / "x.txt").write_text("one")
        file = ShippedFile.of(str(tmp_path / "x.txt"))
        with pytest.raises(RunError, match="was damaged on its way"):
            ShippedFile(file.name, file.sha256, b"two").unpack(tmp_path / "node")

    def test_a_file_is_sent_once_until_it_changes(self, tmp_path):
        (tmp_path / "train").mkdir()
        (tmp_path / "train" / "events").write_bytes(b"1")
        new_files = NewFiles(tmp_path)
        assert new_files.take() == {"train/events": b"1"}
        assert new_files.take() == {}
        (tmp_path / "train" / "events").write_bytes(b"12")
        assert new_files.take() == {"train/events": b"12"}

    def test_what_comes_back_stays_inside_the_folder_of_its_variant(self, tmp_path):
        put_down({"train/events": b"1"}, tmp_path / "run")
        assert (tmp_path / "run" / "train" / "events").read_bytes() == b"1"
        with pytest.raises(RunError, match="would lie outside"):
            put_down({"../events": b"1"}, tmp_path / "run")


class TestUnits:
    @pytest.mark.parametrize(("cpu", "missing"), [(None, ["memory"]), ("Zuse Z3", ["timing", "memory"])])
    def test_what_another_kind_of_machine_measured_does_not_count(self, tmp_path, monkeypatch, cpu, missing):
        schedules = []
        monkeypatch.setattr(LocalExecutor, "run", lambda _, schedule: schedules.append(schedule))
        planned = tuple(plan().planned(tmp_path))
        facts = environment().model_copy(update={"cpu": cpu} if cpu else {})
        known = [_record(one.variant, environment=facts, session="one") for one in planned]
        job = RemoteJob(
            0, planned, "memory", True, tuple(each.model_dump_json() for each in known), Rules(), math.inf, 0, 1
        )
        measure_remote_job(job, [], this_node(), lambda _: None)
        (group_job,) = schedules[0].group_jobs
        assert ["timing"] * (group_job.timing_seconds > 0) + ["memory"] * (len(group_job.follow_up) == 2) == missing

    def test_a_record_is_sent_behind_the_files_that_belong_to_it(self, tmp_path, monkeypatch):
        def run(_, schedule):
            variant = schedule.group_jobs[0].planned[1].variant
            variant.folder.mkdir()
            (variant.folder / "timing.log").write_text("oh\n")
            cause = f"see '{variant.folder / 'timing.log'}'"
            schedule.keep(_record(variant, outcome="failed", cause=cause))

        monkeypatch.setattr(LocalExecutor, "run", run)
        sent = []
        planned = tuple(plan().planned(tmp_path / "here"))
        measure_remote_job(
            RemoteJob(7, planned, "memory", True, (), Rules(), math.inf, 0, 1), [], this_node(), sent.append
        )
        (result,) = sent
        assert (result.job, result.variant, result.files) == (7, 1, {"timing.log": b"oh\n"})
        record = Record.model_validate_json(result.record)
        assert record.key == record_key(planned[1].variant.question("timing"), "full")
        assert record.cause == f"see '{planned[1].variant.folder / 'timing.log'}'"


class TestKindsOfNodes:
    def test_every_group_is_planned_once_for_each_kind(self, tmp_path):
        planned = plan(node_kinds=KINDS).planned(tmp_path)
        assert [(one.variant.group, one.variant.setting) for one in planned] == [
            (f"lstm-L1-U3-T4-B8-on-{kind}", setting) for kind in KINDS for setting in ("loop", "full")
        ]
        assert len({str(one.variant.question("timing")) for one in planned}) == 2
        assert planned_training_steps(plan(node_kinds=KINDS)).keys() == {one.variant.group for one in planned}

    def test_without_kinds_the_question_is_the_one_it_always_was(self, tmp_path):
        (first, _) = plan().planned(tmp_path)
        assert "node_kind" not in first.variant.question("timing")

    def test_a_curve_over_t_has_points_of_one_kind_only(self, tmp_path):
        measured = []
        for one in plan(timesteps=(4, 8, 16), node_kinds=KINDS).planned(tmp_path):
            figures = {"step_seconds": 0.01 * one.variant.config.timesteps}
            record = _record(one.variant, figures=figures)
            measured.append(Findings([record]).measured(one.variant))
        assert [sweep.name for sweep in find_sweeps(comparison_rows(measured))] == [
            f"lstm-L1-U3-B8-on-{kind}" for kind in KINDS
        ]

    def test_this_machine_does_not_pass_for_another_kind(self, tmp_path):
        planned = [
            PlannedVariant(one.variant, Estimate(1, 1, 1, 1)) for one in plan(node_kinds=KINDS).planned(tmp_path)
        ]
        findings = Findings()
        schedule = Schedule(
            outstanding(planned, "memory", findings), "memory", Rules(), findings, findings.add, lambda _: None
        )
        with pytest.raises(InputError, match="on a node of the kind Zuse-Z3, this machine is of the kind"):
            LocalExecutor().run(schedule)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"cpu": "Intel(R) Xeon(R) CPU @ 2.20GHz", "usable_cores": 8.0}, "Intel-Xeon-8-cores"),
            ({"cpu": "AMD EPYC 7B13", "usable_cores": 1.5}, "AMD-EPYC-7B13-1.5-cores"),
            ({"gpus": ("NVIDIA H200 (143771 MiB)",) * 2, "usable_cores": 16.0}, "2-NVIDIA-H200-16-cores"),
        ],
    )
    def test_a_kind_is_named_after_its_hardware(self, changes, expected):
        assert node_kind(environment({}).model_copy(update={"gpus": ()} | changes)) == expected

    @pytest.mark.parametrize(
        ("second", "expected"), [("NVIDIA H200 (1 MiB)", 0), ("NVIDIA A100 (1 MiB)", 1)], ids=["equal", "unlike"]
    )
    def test_which_of_several_equal_gpus_it_was_makes_no_difference(self, second, expected):
        first, other = (
            environment({"CUDA_VISIBLE_DEVICES": number}).model_copy(update={"gpus": ("NVIDIA H200 (1 MiB)", second)})
            for number in "01"
        )
        assert len(differences(first, other)) == expected


class TestNodesInRecords:
    def test_a_record_tells_where_and_when(self, tmp_path):
        variant = plan().planned(tmp_path)[0].variant
        record = _record(variant, started=datetime(2026, 1, 2, tzinfo=UTC))
        assert record.node == this_node()
        row = to_dataframe([record]).iloc[0]
        assert row["node.name"] == this_node().name
        assert row["started"] < row["created"]

    def test_the_attempt_is_told_from_what_became_of_earlier_ones(self):
        node = Node(name="n2", kind="Zuse-Z3", id="5f0c22a1" * 7, earlier=("n1: it died",))
        assert (str(node), node.attempt) == ("n2 (5f0c22a1)", 2)


class TestConnection:
    def test_without_ray_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(InputError, match=re.escape("pip install 'kerasunroll[ray]'")), connected():
            pass

    @pytest.mark.parametrize(
        ("address", "message"),
        [("nonsense", "host:port of the head of a Ray cluster, got 'nonsense'"), ("127.0.0.1:1", "No Ray cluster")],
    )
    def test_an_address_where_nothing_is_answered_at_once(self, address, message):
        pytest.importorskip("ray")
        with pytest.raises(InputError, match=message), connected(address):
            pass

    def test_what_is_no_cluster_is_given_up_in_time(self, monkeypatch):
        """A server that takes connections and never says a word: Ray by itself would try for minutes."""
        pytest.importorskip("ray")
        monkeypatch.setattr("kerasunroll.measurement.execution.connection.ANSWER_SECONDS", 1.0)
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(InputError, match="is no Ray cluster"), connected(address):
                pass


def _record(variant, **fields):
    return Record(
        configuration=variant.question("timing"),
        variant=variant.setting,
        **{"outcome": "done", "environment": environment({}), "node": variant.node} | fields,
    )
