"""What is known of a machine is measured once, and kept by machine."""

import json

import pytest
from small_machine import machine, reference

from kerasunroll.advice.calibration import GROUPS, cache_file, calibration, examples_of
from kerasunroll.advice.model import FIGURES


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASUNROLL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "advice.json"


class Measuring:
    """Stands in for measuring the machine, and counts how often that is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *_):
        self.times += 1
        return machine(start_bytes=self.times, keras_compiling=2.0)


@pytest.fixture
def measuring() -> Measuring:
    return Measuring()


def test_what_was_measured_is_kept(cache, measuring):
    found = [calibration(reference(), measure=measuring) for _ in range(3)]
    assert measuring.times == 1
    assert found[0] == found[1] == found[2]
    assert found[2].factors == {"keras compiling": 2.0}
    assert cache_file() == cache


def test_it_is_measured_anew_where_that_is_asked_for(measuring):
    calibration(reference(), measure=measuring)
    assert calibration(reference(), anew=True, measure=measuring).start_bytes == 2
    assert calibration(reference(), measure=measuring).start_bytes == 2


def test_it_is_measured_anew_beside_another_reference(measuring):
    calibration(reference(), measure=measuring)
    calibration(reference(version=8), measure=measuring)
    assert measuring.times == 2


@pytest.mark.parametrize("damaged", ["", "{", '{"a": 1}', "[1]", '[{"schema_version": 99}]'])
def test_a_damaged_file_knows_nothing_and_is_written_anew(cache, damaged, measuring):
    cache.parent.mkdir()
    cache.write_text(damaged)
    calibration(reference(), measure=measuring)
    calibration(reference(), measure=measuring)
    assert measuring.times == 1


@pytest.mark.parametrize(
    "change", [{"cpu": "Another CPU"}, {"versions": {"tensorflow": "2.99"}}, {"flags": {"OMP_NUM_THREADS": "1"}}]
)
def test_another_machine_is_measured_and_both_are_kept(cache, change, measuring):
    """As where a home folder is shared."""
    calibration(reference(), measure=measuring)
    (kept,) = json.loads(cache.read_text())
    kept["environment"] |= change
    cache.write_text(json.dumps([kept]))
    calibration(reference(), measure=measuring)
    calibration(reference(), measure=measuring)
    assert measuring.times == 2
    assert [each["start_bytes"] for each in json.loads(cache.read_text())] == [1, 2]


def test_where_nothing_can_be_kept_it_works_and_warns(tmp_path, monkeypatch, measuring):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASUNROLL_CACHE", str(tmp_path / "file"))
    warnings = []
    assert calibration(reference(), measure=measuring, warn=warnings.append).start_bytes == 1
    (warning,) = warnings
    assert "cannot be kept" in warning
    assert str(tmp_path / "file") in warning


def test_the_cache_is_where_xdg_says(monkeypatch, tmp_path):
    monkeypatch.delenv("KERASUNROLL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_file() == tmp_path / "kerasunroll" / "advice.json"


def test_only_the_first_of_a_process_is_cold():
    group = GROUPS[0]
    figures = [dict.fromkeys((*FIGURES, "cold"), 1.0), *([dict.fromkeys(FIGURES, 1.0) | {"cold": 0}] * 2)]
    found = examples_of(group, figures)
    assert len(found) == 3 * len(FIGURES)
    starts = [
        sum(amounts["start"] for amounts in each.work.values()) for name, each in found if name == "ready_seconds"
    ]
    assert starts == [1, 0, 0]


def test_the_machine_can_be_measured_in_half_a_minute():
    """Few variants, none of which compiles long."""
    assert sum(len(group.settings) for group in GROUPS) <= 10
    assert max(group.timesteps for group in GROUPS if "full" in group.settings) <= 32


def test_what_the_layers_say_as_well():
    from kerasunroll.layers import auto

    assert cache_file().parent == auto.cache_file().parent
