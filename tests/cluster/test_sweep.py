"""A real sweep on a cluster: its driver is killed, it goes on, a node dies, and nothing is lost or mixed."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("ray")

from ray_cluster import kill
from trivial_units import shared, spans

from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.store import RECORDS

pytestmark = pytest.mark.cluster

QUICK = ["--processes", "1"]
TINY = [
    *("--source", "adding", "--examples", "40", "--units", "2", "--batch-size", "8"),
    *("--max-rounds", "10", *QUICK),
]
LENGTHS = (3, 4, 5, 6)
SECONDS = 150


def command(*arguments, folder):
    program = "from kerasunroll.cli import main; main()"
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200"},
        )


def records(folder):
    return store.load(folder / "logs" / "measure" / RECORDS).records


def wait_for(condition, what):
    until = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < until, what
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def sweep(cluster, tmp_path_factory):
    """Return the folder of a sweep whose driver was killed, and then a node; and which node that was."""
    folder = tmp_path_factory.mktemp("sweep")
    on_ray = ["--executor", "ray", "--address", cluster.address]
    lengths = [word for t in LENGTHS for word in ("--timesteps", str(t))]
    driver = command("measure", *TINY, *lengths, *on_ray, folder=folder)
    wait_for(lambda: records(folder) or driver.poll() is not None, "the first record")
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    kept = {path.name: path.read_bytes() for path in (folder / "logs" / "measure" / RECORDS).glob("*.json")}
    driver = command("measure", "--resume", "logs/measure", *QUICK, *on_ray, folder=folder)
    before = {record.key for record in records(folder)}
    # Of a unit that has been timed just now: its memory is yet to be counted.
    timed = wait_for(lambda: [of for of in records(folder) if is_timing(of) and of.key not in before], "a further unit")
    kill(cluster, timed[0].node.id)
    status = driver.wait(timeout=SECONDS)
    return folder, kept, timed[0].node, status


def is_timing(record) -> bool:
    return record.configuration["measurement"] == "timing"


def test_all_is_measured_in_the_end(sweep):
    folder, _, _, status = sweep
    text = (folder / "log.txt").read_text()
    assert status == 0, text
    found = {(record.configuration["timesteps"], record.variant) for record in records(folder) if record.cause is None}
    assert found == {(t, "loop") for t in LENGTHS}
    results = json.loads((folder / "logs" / "measure" / "results.json").read_text())
    assert [row["outcome"] for row in results["variants"]] == ["done"] * len(LENGTHS)
    assert "Ray cluster: 3 nodes of 1 CPU" in text


def test_a_driver_that_is_killed_loses_nothing(sweep):
    folder, kept, _, _ = sweep
    assert kept
    for name, content in kept.items():
        assert (folder / "logs" / "measure" / RECORDS / name).read_bytes() == content


def test_the_table_says_which_unit_was_begun_again(sweep):
    folder, _, dead, _ = sweep
    text = (folder / "log.txt").read_text()
    assert f"Attempt 1 came to nothing on {dead}: it died." in text
    again = [record for record in records(folder) if record.node.attempt == 2]
    assert again
    assert dead.id not in {record.node.id for record in again}


def test_no_unit_shares_a_node_with_another(sweep):
    found = records(sweep[0])
    assert len(spans(found)) >= 2
    assert shared(found) == []


def test_records_have_the_same_form_as_on_one_machine(sweep, tmp_path):
    assert command("measure", *TINY, "--timesteps", "3", folder=tmp_path).wait(SECONDS) == 0
    assert form(tmp_path, records(tmp_path)) == form(
        sweep[0], [of for of in records(sweep[0]) if of.configuration["timesteps"] == 3]
    )


def form(folder, found):
    """Return everything of records and files but the figures themselves."""
    shape = {}
    for record in found:
        data = json.loads(record.model_dump_json())
        shape[data["configuration"]["measurement"]] = {
            **{name: type(value).__name__ for name, value in data.items() if name not in ("session",)},
            "key": record.key,
            "configuration": data["configuration"],
            "figures": sorted(data["figures"]),
            "samples": sorted(data["samples"]),
            "node": sorted(data["node"]),
            "environment": data["environment"]
            | {"import_seconds": type(data["environment"]["import_seconds"]).__name__},
        }
    files = {re.sub(r"\d{9,}", "<when>", path.name) for path in (folder / "logs" / "measure").glob("*-T3-*/loop/*")}
    return shape, files


def test_a_training_run_comes_back_with_all_it_logged(connection, tmp_path):
    """Its data lie in a file here, which the node does not have."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "poem.txt").write_text("the rain in spain stays mainly in the plain\n" * 12)
    options = ["--source", "text:data/poem.txt", "--timesteps", "5", "--units", "2", "--batch-size", "8"]
    on_ray = ["--executor", "ray", "--address", connection.address]
    status = command("train", *options, "--epochs", "1", *on_ray, folder=tmp_path).wait(SECONDS)
    assert status == 0, (tmp_path / "log.txt").read_text()
    (run,) = (tmp_path / "logs").glob("*/loop")
    assert {"run.json", "model.keras", "outputs.npz", "training.log"} <= {path.name for path in run.iterdir()}
    assert list((run / "train").glob("events.out.*"))
    assert list((run / "validation").glob("events.out.*"))
    record = json.loads((run / "run.json").read_text())
    assert record["configuration"]["source"] == "text:data/poem.txt"
    assert record["node"]["id"]
