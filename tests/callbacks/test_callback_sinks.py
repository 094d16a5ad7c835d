"""What TensorBoard is not alone to get: sinks beside it or instead of it."""

import re
from collections import Counter

import keras
import numpy as np
import pytest
from small import compiled, data, fit, stack

from kerasunroll.callbacks import GradientNormLogger, MetricsLogger, comparison_callbacks
from kerasunroll.callbacks.sinks import JsonLinesSink, Sink
from kerasunroll.errors import InputError, KerasunrollWarning


class Kept(Sink):
    """Keeps what it is given, and fails where it is told to."""

    def __init__(self, fails: str = ""):
        self.fails = fails
        self.calls: Counter[str] = Counter()
        self.numbers: dict[tuple[str, str, int], float] = {}
        self.notes: list[str] = []

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        if self.fails == name:
            raise RuntimeError("the line is dead")

    def scalars(self, run, values, step, wall_time):
        self._called("scalars")
        self.numbers |= {(run, tag, step): value for tag, value in values.items()}

    def text(self, run, tag, markdown, step):
        self._called("text")
        if tag == "note":
            self.notes.append(markdown)

    def image(self, run, tag, png, width, height, step):
        self._called("image")
        assert png.startswith(b"\x89PNG")
        assert width > 0 < height

    def graph(self, run, graph_def):
        self._called(f"graph {run}")
        assert len(graph_def.node) > 0

    def layers(self, run, model_json):
        self._called("layers")
        assert keras.models.model_from_json(model_json).count_params() > 0

    def close(self):
        self._called("close")


def said(caught) -> list[str]:
    return [str(warning.message) for warning in caught if warning.category is KerasunrollWarning]


def test_a_sink_gets_all_that_tensorboard_gets(tmp_path, events):
    sink = Kept()
    callbacks = comparison_callbacks(tmp_path, update_freq=1, states_of=data(1)[0][:1], sinks=[sink], strict=True)
    fit(compiled(stack()), callbacks, batches=3, validation_data=data(1))
    for run, what in (("train", {"train", "forward"}), ("validation", {"validation"})):
        seen = events(tmp_path / run)
        ours = {(tag, step): np.float32(value) for (of, tag, step), value in sink.numbers.items() if of in what}
        theirs = {(tag, step): value for tag in seen.scalar_tags for step, value in seen.scalars(tag).items()}
        assert ours == theirs
        assert theirs
    assert sink.calls["graph train"] == sink.calls["graph forward"] == sink.calls["layers"] == 1
    assert sink.calls["text"] == 1  # the summary of gradients through time
    assert sink.calls["image"] >= 4  # two layers, states and gradients
    assert sink.calls["close"] == len(callbacks)
    assert all(type(value) is float for value in sink.numbers.values())


def test_without_a_folder_tensorboard_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sink = Kept()
    fit(compiled(stack()), [MetricsLogger(None, sinks=[sink], strict=True)], batches=2, epochs=2)
    assert {("train", "epoch_loss", 0), ("train", "epoch_loss", 1)} <= set(sink.numbers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sinks", "reason"),
    [
        ([], "expected a folder, got None"),
        (Kept(), "expected a list of sinks, got Kept"),
        ([Kept], "Derive your class from Sink"),
        (["run.jsonl"], "got 'run.jsonl'"),
    ],
)
def test_what_is_no_sink_is_refused_at_once(sinks, reason):
    with pytest.raises(InputError, match=reason):
        comparison_callbacks(None, sinks=sinks)


def test_a_sink_that_fails_is_left_out_with_one_warning(tmp_path, events):
    plain, logged = compiled(stack()), compiled(stack())
    fit(plain, [], batches=3)
    broken, sound = Kept(fails="scalars"), Kept()
    callbacks = comparison_callbacks(tmp_path, update_freq=1, gradient_flow=False, graph=False, sinks=[broken, sound])
    with pytest.warns(KerasunrollWarning) as caught:
        fit(logged, callbacks, batches=3)
    (message,) = said(caught)
    assert message.startswith("Entries are no longer logged into Kept (training step ")
    assert message.endswith("the training goes on. The reason: RuntimeError: the line is dead")
    assert broken.calls == {"scalars": 1, "close": len(callbacks)}
    train = events(tmp_path / "train")
    for tag in ("batch_loss", "gradient_norm/global", "memory/process_bytes"):
        assert list(train.scalars(tag)) == [1, 2, 3]
        assert [step for run, of, step in sound.numbers if of == tag] == [1, 2, 3]
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_in_the_next_fit_it_is_tried_again(tmp_path):
    sink, model = Kept(fails="scalars"), compiled(stack())
    callbacks = [MetricsLogger(tmp_path, 1, sinks=[sink]), GradientNormLogger(tmp_path, sinks=[sink])]
    with pytest.warns(KerasunrollWarning):
        fit(model, callbacks, batches=2)
    sink.fails = ""
    fit(model, callbacks, batches=2)
    assert [step for _, tag, step in sink.numbers if tag == "batch_loss"] == [3, 4]
    assert [step for _, tag, step in sink.numbers if tag == "gradient_norm/global"] == [3, 4]


def test_a_list_of_callbacks_that_keras_is_given_ready_made_too():
    """A `CallbackList` without parameters tells no `fit` from the next."""
    sink, model = Kept(fails="scalars"), compiled(stack())
    callbacks = keras.callbacks.CallbackList([MetricsLogger(None, 1, sinks=[sink])], add_history=True, model=model)
    with pytest.warns(KerasunrollWarning):
        fit(model, callbacks, batches=2)
    sink.fails = ""
    fit(model, callbacks, batches=2)
    assert [step for _, tag, step in sink.numbers if tag == "batch_loss"] == [3, 4]


class Counting(MetricsLogger):
    works = 0

    def training_steps_end(self, count, logs):
        self.works += 1
        super().training_steps_end(count, logs)


def test_when_all_sinks_have_failed_nothing_more_is_done():
    sink = Kept(fails="scalars")
    callbacks = [counting := Counting(None, 1, sinks=[sink]), GradientNormLogger(None, sinks=[sink])]
    with pytest.warns(KerasunrollWarning) as caught:
        fit(compiled(stack()), callbacks, batches=3)
    assert len(said(caught)) == 1
    assert sink.calls == {"scalars": 1, "close": 2}
    assert counting.works == 1


def test_where_tensorboard_fails_the_other_sinks_go_on(tmp_path):
    (tmp_path / "file").write_text("a file stands where the folder should be")
    sink = Kept()
    with pytest.warns(KerasunrollWarning, match=r"Losses and metrics are no longer logged into '.*file'") as caught:
        fit(compiled(stack()), [MetricsLogger(tmp_path / "file", 1, sinks=[sink])], batches=2)
    assert len(said(caught)) == 1
    assert [step for _, tag, step in sink.numbers if tag == "batch_loss"] == [1, 2]


@pytest.mark.parametrize("fails", ["scalars", "image", "text", "layers", "graph train", "close"])
def test_strict_raises(tmp_path, fails):
    callbacks = comparison_callbacks(
        tmp_path, update_freq=1, states_of=data(1)[0][:1], sinks=[Kept(fails=fails)], strict=True
    )
    with pytest.raises(RuntimeError, match="the line is dead"):
        fit(compiled(stack()), callbacks, batches=2)


def test_a_second_model_is_noted():
    sink = Kept()
    callbacks = [MetricsLogger(None, sinks=[sink])]
    fit(compiled(stack()), callbacks, batches=1)
    fit(second := compiled(stack()), callbacks, batches=1)
    (note,) = sink.notes
    assert f"here begins model '{second.name}'" in note


def test_a_sink_that_overrides_nothing_takes_everything(tmp_path):
    callbacks = comparison_callbacks(None, update_freq=1, states_of=data(1)[0][:1], sinks=[Sink()], strict=True)
    model = compiled(stack())
    fit(model, callbacks, batches=2, validation_data=data(1))
    assert int(model.optimizer.iterations.numpy()) == 2


def test_an_unwritable_file_says_which(tmp_path):
    (tmp_path / "file").write_text("a file stands where the folder should be")
    path = tmp_path / "file" / "run.jsonl"
    with pytest.warns(KerasunrollWarning, match=re.escape(f"Entries are no longer logged into '{path}'")):
        fit(compiled(stack()), [MetricsLogger(None, sinks=[JsonLinesSink(path)])], batches=1)
