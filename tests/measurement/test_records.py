import json
import math
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from pydantic import ValidationError

from kerasunroll import __version__
from kerasunroll.errors import InputError
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import SCHEMA_VERSION, Outcome, Record, unit, upgrade

ENVIRONMENT = environment({})


def record(**changes) -> Record:
    fields = {
        "configuration": {"cell": "lstm", "units": [64, 64], "learning_rate": 0.001, "mask": None},
        "variant": "full",
        "outcome": "done",
        "figures": {"compile_seconds": 3.25, "graph_nodes": 812, "tensor_peak_bytes": 2**40},
        "samples": {"training_step_seconds": [[[0.021, 0.022], [0.05]], [[0.03]]]},
        "path": "unrolled, xla",
        "environment": ENVIRONMENT,
    }
    return Record(**fields | changes)


def test_json_and_back_is_the_same_record():
    made = record()
    assert Record.model_validate_json(made.model_dump_json()) == made
    assert made.kerasunroll_version == __version__
    assert timedelta(0) <= datetime.now(UTC) - made.created < timedelta(minutes=1)


def test_json_is_plain_and_legible():
    data = json.loads(record(created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)).model_dump_json())
    assert data["schema_version"] == SCHEMA_VERSION
    assert data["created"] == "2026-01-02T03:04:05Z"
    assert data["figures"] == {"compile_seconds": 3.25, "graph_nodes": 812, "tensor_peak_bytes": 1099511627776}
    assert data["samples"] == {"training_step_seconds": [[[0.021, 0.022], [0.05]], [[0.03]]]}


def test_numbers_that_are_not_finite_survive_strict_json():
    made = record(figures={"loss": math.nan, "up": math.inf, "down": -math.inf}, samples={"loss": [[[1.0, math.nan]]]})
    text = made.model_dump_json()
    data = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert data["figures"] == {"loss": "NaN", "up": "Infinity", "down": "-Infinity"}
    loaded = Record.model_validate_json(text)
    assert math.isnan(loaded.figures["loss"])
    assert (loaded.figures["up"], loaded.figures["down"]) == (math.inf, -math.inf)
    assert loaded.samples["loss"][0][0][0] == 1.0
    assert math.isnan(loaded.samples["loss"][0][0][1])


@pytest.mark.parametrize(
    "change",
    [
        lambda made: setattr(made, "variant", "loop"),
        lambda made: made.figures.update(compile_seconds=0.0),
        lambda made: made.configuration["units"].append(1),
        lambda made: made.samples["training_step_seconds"][0].append(1.0),
        lambda made: made.environment.versions.clear(),
    ],
)
def test_a_record_cannot_be_changed(change):
    made = record()
    with pytest.raises((ValidationError, AttributeError, TypeError)):
        change(made)
    assert made == record(created=made.created)


def test_key_is_the_question_and_not_the_answer():
    made = record()
    shuffled = record(configuration=dict(reversed(made.configuration.items())), figures={}, path=None)
    assert shuffled.key == made.key
    assert record(variant="loop").key != made.key
    assert record(configuration={**made.configuration, "cell": "gru"}).key != made.key
    assert record(configuration={"unroll": True}).key != record(configuration={"unroll": 1}).key


def test_key_is_the_same_on_every_machine_and_day():
    # printf '{"configuration":{"cell":"lstm"},"variant":"loop"}' | sha256sum
    assert record(configuration={"cell": "lstm"}, variant="loop").key == "210d715320941d7e"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"outcome": "exploded"},
            "Input should be 'done', 'timeout', 'out_of_memory', 'crashed', 'failed', 'diverged'",
        ),
        ({"outcome": "timeout"}, "Only the outcome 'done' has no cause, got 'timeout' with cause None."),
        ({"cause": "why?"}, "Only the outcome 'done' has no cause, got 'done' with cause 'why?'."),
        ({"figures": {"Compile-Time": 1.0}}, "lower_case_with_underscores, got 'Compile-Time'"),
        ({"samples": {"variant": [[[1.0]]]}}, "A figure cannot be called 'variant': a record has that already."),
        ({"figures": {"loss": "low"}}, "Input should be a valid number"),
        ({"samples": {"loss": [[1.0]]}}, "Input should be a valid list"),
        ({"configuration": {"rate": math.nan}}, "Out of range float values are not JSON compliant"),
        ({"configuration": {"cell": object()}}, "input was not a valid JSON value"),
        ({"variant": ""}, "String should have at least 1 character"),
        ({"created": datetime(2026, 1, 1)}, "Input should have timezone info"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"schema_version": 1}, "Input should be 4"),
        ({"stopped_by": "boredom"}, "Input should be 'width', 'rounds' or 'budget'"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValidationError) as caught:
        record(**changes)
    assert message in str(caught.value)


def test_an_outcome_with_a_cause_keeps_what_was_measured_before():
    made = record(outcome=Outcome.TIMEOUT, cause="it took longer than its limit of 5 min", phase="compile")
    assert made.figures["graph_nodes"] == 812
    assert str(made.outcome) == "timeout"


@pytest.mark.parametrize(
    ("figure", "expected"),
    [("compile_seconds", "seconds"), ("tensor_peak_bytes", "bytes"), ("graph_nodes", ""), ("seconds", "seconds")],
)
def test_unit_is_the_ending_of_the_name(figure, expected):
    assert unit(figure) == expected


class TestUpgrade:
    UPGRADES: ClassVar = {
        1: lambda data: data | {"schema_version": 2, "seen": [1]},
        2: lambda data: data | {"schema_version": 3, "seen": [*data["seen"], 2]},
    }

    def test_older_versions_are_brought_up_one_after_the_other(self):
        assert upgrade({"schema_version": 1}, self.UPGRADES, current=3) == {"schema_version": 3, "seen": [1, 2]}

    def test_the_current_version_stays_as_it_is(self):
        data = json.loads(record().model_dump_json())
        assert upgrade(data) == data

    def test_a_newer_version_is_refused_with_what_to_do(self):
        with pytest.raises(InputError) as caught:
            upgrade({"schema_version": 7, "kerasunroll_version": "9.1.0"})
        assert str(caught.value) == (
            f"It has schema version 7, and this kerasunroll ({__version__}) knows those up to {SCHEMA_VERSION}: "
            "kerasunroll 9.1.0 wrote it. Upgrade kerasunroll to read it."
        )

    @pytest.mark.parametrize("version", [None, 0, "1", [1], 1.5])
    def test_a_version_that_never_was_is_an_error(self, version):
        with pytest.raises(ValueError, match="unknown schema version"):
            upgrade({"schema_version": version})


def test_a_record_of_the_first_schema_can_still_be_read():
    """As version 1 wrote it: nobody had taken turns yet, and operations were not counted by type."""
    old = json.loads(record(figures={"step_seconds": 0.02, "import_seconds": 4.5}).model_dump_json())
    old |= {"schema_version": 1, "samples": {"step_seconds": [[0.021, 0.022], [0.05, 0.02]]}}
    del old["environment"]["import_seconds"]
    for new in ("session", "stopped_by", "operations", "node", "started"):
        del old[new]
    read = Record.model_validate(upgrade(old))
    assert (dict(read.figures), read.environment.import_seconds) == ({"step_seconds": 0.02}, 4.5)
    assert read.samples["step_seconds"] == (((0.021, 0.022), (0.05, 0.02)),)  # one process
    assert (read.session, read.stopped_by, dict(read.operations)) == (None, None, {})
    assert (read.node, read.started) == (None, None)
