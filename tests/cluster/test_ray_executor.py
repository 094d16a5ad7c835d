"""What the executor does with units that take no time of their own, on a real cluster of three nodes."""

import re
import time

import pytest

pytest.importorskip("ray")

from ray_cluster import add_node, kill
from trivial_units import planned, schedule, shared, sleeping, spans

from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.execution.ray_executor import RayExecutor
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.records.record import Outcome

pytestmark = pytest.mark.cluster


def test_units_spread_over_the_nodes_and_share_none(connection, tmp_path):
    found, timed, progress = [], [], []
    executor = RayExecutor(measure=sleeping(0.4))
    assert executor.places == 3
    executor.run(schedule(planned(tmp_path, 9), found, on_timed=timed.append, on_progress=progress.append))
    assert len(found) == 9 * 2 * 2
    assert len(timed) == 9
    assert len(spans(found)) == 3
    assert shared(found) == []
    assert progress[-1].done == pytest.approx(1.0)
    assert (tmp_path / "lstm-L1-U2-T2-B8" / "full" / "memory.log").read_text() == "all is well\n"


def test_a_unit_whose_node_dies_is_measured_elsewhere(connection, tmp_path):
    found, victims = [], []

    def strike(progress):
        if not victims and (node := re.search(r" \((\w{8})\): begun", progress.doing)):
            victims.append(node[1])
            kill(connection, node[1])

    RayExecutor(measure=sleeping(2.0)).run(schedule(planned(tmp_path, 3), found, on_progress=strike))
    assert len(found) == 3 * 2 * 2
    again = [record for record in found if record.node.attempt > 1]
    assert len(again) == 4  # the two kinds of records of the two variants of one unit
    (earlier,) = {earlier for record in again for earlier in record.node.earlier}
    assert earlier.endswith(f"({victims[0]}): it died")
    assert all(not record.node.id.startswith(victims[0]) for record in again)
    assert shared(found) == []


def test_a_unit_that_dies_too_often_is_given_up_and_says_so(connection, tmp_path):
    def die(job, files, node, send):
        if job.number == 1:
            raise OSError("No space left on device")
        sleeping(0)(job, files, node, send)

    found = []
    RayExecutor(measure=die, attempts=2).run(schedule(planned(tmp_path, 3), found))
    crashed = [record for record in found if record.outcome is Outcome.CRASHED]
    assert {record.configuration["timesteps"] for record in crashed} == {3}
    assert len(crashed) == 4
    assert crashed[0].cause.startswith("it was begun 2 times, each time in vain: ")
    assert "OSError: No space left on device" in crashed[0].cause
    assert len({earlier.partition(":")[0] for earlier in crashed[0].node.earlier}) == 2  # two nodes
    assert len(found) == 3 * 2 * 2


def test_when_the_time_is_spent_nothing_more_is_begun(connection, tmp_path):
    found = []
    executor = RayExecutor(measure=sleeping(0.5))
    rules = Rules(deadline=time.monotonic() + 2.0)
    executor.run(schedule(planned(tmp_path, 60), found, rules=rules))
    assert 0 < len(found) < 60 * 4


def test_ctrl_c_ends_the_units_too(connection, tmp_path):
    def interrupt(progress):
        if progress.doing.endswith("begun"):
            raise KeyboardInterrupt

    executor = RayExecutor(measure=sleeping(60))
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        executor.run(schedule(planned(tmp_path, 3), [], on_progress=interrupt))
    found = []
    RayExecutor(measure=sleeping(0)).run(schedule(planned(tmp_path, 3), found))
    assert time.monotonic() - begun < 50
    assert len(found) == 12


def test_nodes_with_other_versions_are_named(connection, tmp_path):
    other = tmp_path / "numpy-9.8.7.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.8.7\n")
    node = add_node(connection, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(InputError, match=r"not alike(.|\n)*- numpy: .*9\.8\.7(.|\n)*--mix-environments"):
            RayExecutor()
        assert RayExecutor(mix_environments=True).places == 4
    finally:
        connection.remove_node(node)


def test_what_no_node_can_measure_is_an_error(connection, tmp_path):
    with pytest.raises(RunError, match="No node is left that could measure 2 of 2 groups, among them lstm-L1-U2-T2"):
        RayExecutor(measure=sleeping(0)).run(schedule(planned(tmp_path, 2, node_kinds=["Zuse-Z3"]), []))


def test_everything_can_be_measured_on_each_kind_of_node(connection, tmp_path):
    executor = RayExecutor(per_kind=True, measure=sleeping(0))
    (kind,) = executor.kinds
    found = []
    executor.run(schedule(planned(tmp_path, 2, node_kinds=executor.kinds), found))
    assert {record.configuration["node_kind"] for record in found} == {kind}
    assert (tmp_path / f"lstm-L1-U2-T3-B8-on-{kind}" / "loop" / "timing.log").exists()
