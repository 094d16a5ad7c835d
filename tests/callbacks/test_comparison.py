"""The callbacks together, on plain `model.fit`."""

import pytest
from small import compiled, data, fit, stack

from kerasunroll.callbacks import comparison_callbacks


def test_settings_write_the_same_tags_into_runs_of_their_own(tmp_path, events):
    tags = {}
    for name, unroll in (("loop", False), ("full", True)):
        x, y = data(2)
        callbacks = comparison_callbacks(tmp_path / name, update_freq=1)
        fit(compiled(stack(unroll)), callbacks, validation_data=(x, y))
        tags[name] = {run: events(tmp_path / name / run).tags for run in ("train", "validation")}
        assert {run.name for run in (tmp_path / name).iterdir()} == {"train", "validation"}
    assert tags["loop"] == tags["full"]
    assert {
        "epoch_loss",
        "batch_loss",
        "gradient_norm/global",
        "gradient_norm/lstm_1/lstm_cell/recurrent_kernel",
        "memory/tensor_peak_bytes",
        "memory/process_bytes",
        "time/step_seconds",
        "time/compile_seconds",
        "graph/training_step_nodes",
        "graph/forward_nodes",
        "forward",
    } <= tags["loop"]["train"]
    assert "epoch_accuracy" in tags["loop"]["validation"]


def test_the_callbacks_do_not_disturb_each_other(tmp_path, events):
    """Each logs the same alone and in company."""
    fit(compiled(stack()), comparison_callbacks(tmp_path / "together", update_freq=2, gradient_flow=False))
    for callback in comparison_callbacks(tmp_path / "alone", update_freq=2, gradient_flow=False):
        fit(compiled(stack()), [callback])
    together, apart = events(tmp_path / "together" / "train"), events(tmp_path / "alone" / "train")
    assert together.tags == apart.tags
    for tag in sorted(together.scalar_tags):
        assert list(together.scalars(tag)) == list(apart.scalars(tag)), tag
    for tag in ("gradient_norm/global", "batch_loss"):
        assert together.scalars(tag) == pytest.approx(apart.scalars(tag), rel=1e-5)


def test_parts_can_be_left_out(tmp_path, events):
    fit(compiled(stack()), comparison_callbacks(tmp_path, graph=False, time=False))
    assert not [tag for tag in events(tmp_path / "train").tags if tag.startswith(("time/", "graph/", "forward"))]
