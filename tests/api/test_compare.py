"""`kerasunroll.compare`: the same engine as the command's, for whatever `fit` takes."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasunroll
from kerasunroll.cli import main
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.models import StackConfig

HERE = Path(__file__).parent
QUICK = {"processes": 1, "max_rounds": 10, "progress": False}


def some_data(sequences=48):
    rng = np.random.default_rng(0)
    return rng.normal(size=(sequences, 6, 3)).astype("float32"), rng.integers(0, 3, sequences)


X, Y = some_data()


def build(unroll):
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(4, unroll=unroll), keras.layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def outcomes(comparison):
    return {
        (record.variant, record.configuration["measurement"]): (record.outcome.value, record.cause)
        for record in comparison.records
    }


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A function that builds the model, batches of a dataset, weights, validation, callbacks."""
    x, y = some_data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=1).batch(16)
    folder = tmp_path_factory.mktemp("compared") / "run"
    told = tmp_path_factory.mktemp("told")

    class Tell(keras.callbacks.Callback):
        def __init__(self, path):
            super().__init__()
            self.path = path

        def on_epoch_end(self, epoch, logs=None):
            with self.path.open("a") as file:
                file.write(f"{epoch} {sorted(logs)}\n")

    comparison = kerasunroll.compare(
        build,
        batches,
        class_weight={0: 2.0},
        validation_data=(x[:8], y[:8]),
        epochs=2,
        callbacks=lambda place: [Tell(told / place.name)],
        folder=folder,
        **QUICK,
    )
    return comparison, told


class TestAScriptOfOnesOwn:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("script") / "run"
        done = subprocess.run(
            [sys.executable, HERE / "two_inputs.py", folder], capture_output=True, text=True, check=False, timeout=280
        )
        assert done.returncode == 0, done.stderr
        return folder, done.stdout

    def test_two_inputs_and_everything_of_main_reach_the_workers(self, run):
        comparison = kerasunroll.Comparison.load(run[0])
        assert set(outcomes(comparison).values()) == {("done", None)}
        assert comparison.rows[0].path == "while"
        assert comparison.rows[1].path == "unrolled"
        assert comparison.verdict.differences["full"] <= comparison.verdict.tolerance

    def test_its_repr_begins_with_the_verdict(self, run):
        comparison = kerasunroll.Comparison.load(run[0])
        first = run[1].splitlines()[0]
        assert first.startswith(f"{comparison.verdict.group}: ")
        assert re.search(r"^loop +[\d.]+ m?s", run[1], re.MULTILINE)

    def test_a_worker_trains_what_the_script_would(self, run):
        """The weights that the loop ended with, against those of `fit` in the script's own process."""
        folder, printed = run
        outputs = np.load(folder / kerasunroll.Comparison.load(folder).verdict.group / "loop" / "outputs.npz")["after"]
        sys.path.insert(0, str(HERE))
        try:
            import two_inputs
        finally:
            sys.path.remove(str(HERE))
        x, y = two_inputs.make_data()
        mean, parts = outputs[:64].reshape(64, 1), outputs[64:].reshape(64, 2)
        loss = 0.5 * np.mean((y["mean"] - mean) ** 2) + np.mean(np.abs(y["parts"] - parts) ** 2)
        expected = float(re.search(r"LOSS ([\d.e-]+)", printed)[1])
        assert loss == pytest.approx(expected, rel=1e-5)
        del x


class TestWhatComesBack:
    def test_all_was_measured(self, compared):
        comparison, _ = compared
        assert set(outcomes(comparison).values()) == {("done", None)}
        assert comparison.missing == []

    def test_callbacks_ran_in_every_training(self, compared):
        _, told = compared
        for setting in ("loop", "full"):
            lines = (told / setting).read_text().splitlines()
            assert [line[0] for line in lines] == ["0", "1"]
            assert "'val_loss'" in lines[0]

    def test_the_table_has_a_row_per_variant_and_intervals_as_columns(self, compared):
        comparison, _ = compared
        table = comparison.table.set_index("setting")
        assert list(table.index) == ["loop", "full"]
        ratio = comparison.rows[1].against_loop
        assert tuple(table.loc["full", ["step_ratio", "step_ratio_low", "step_ratio_high"]]) == (
            ratio.ratio,
            ratio.low,
            ratio.high,
        )
        assert np.isnan(table.loc["loop", "step_ratio"])
        parts = ["build_seconds", "trace_seconds", "compile_seconds"]
        assert table.loc["full", "ready_seconds"] == pytest.approx(sum(table.loc["full", parts]))

    def test_gradients_are_per_setting_and_layer(self, compared):
        comparison, _ = compared
        loop, full = comparison.gradients["loop"]["lstm"], comparison.gradients["full"]["lstm"]
        assert loop.norms["h"].shape == full.norms["h"].shape
        assert loop.norms["h"].shape[1] == 6
        np.testing.assert_allclose(loop.norms["h"], full.norms["h"], rtol=1e-4)

    def test_the_verdict_says_what_to_take_and_from_when_on(self, compared):
        verdict = compared[0].verdict
        assert verdict.take in ("loop", "full")
        assert verdict.text.startswith("Take ")
        even = verdict.break_even("full")
        assert even is None or even.low <= even.value <= even.high
        assert verdict.constraints.training_steps == 6

    def test_a_dataset_is_seen_in_the_same_order_by_all(self, compared):
        first, second = (each.variant for each in compared[0].measured)
        batches = [
            list(each.config.in_run(compared[0].folder).open_source().train(16).as_numpy_iterator())
            for each in (first, second)
        ]
        for one, other in zip(*batches, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            # Class 0 weighs 2, the others 1.
            np.testing.assert_array_equal(one[2], np.where(one[1] == 0, 2.0, 1.0))

    def test_every_picture_is_drawn_with_the_figures_of_the_table(self, compared):
        comparison, _ = compared
        table = comparison.table.set_index("setting")
        axes = comparison.plot("memory")
        assert [bar.get_width() for bar in axes.patches] == list(table["process_growth_bytes"])
        axes = comparison.plot("step")
        assert axes.patches[0].get_width() == table.loc["loop", "step_seconds"]
        for what in ("time", "ready", "tensors", "graph", "gradients"):
            assert comparison.plot(what) is not None
        with pytest.raises(kerasunroll.errors.InputError, match="'speed'"):
            comparison.plot("speed")

    def test_report_and_copy(self, compared, tmp_path):
        comparison, _ = compared
        page = comparison.report(tmp_path / "report.html").read_text()
        assert comparison.verdict.text.split(". ")[0] in page
        assert comparison.report(tmp_path / "report.md").read_text().startswith("#")
        with pytest.raises(kerasunroll.errors.InputError, match=r"\.html or \.md"):
            comparison.report(tmp_path / "report.txt")
        copy = kerasunroll.Comparison.load(comparison.save(tmp_path / "copy"))
        assert repr(copy) == repr(comparison)
        with pytest.raises(kerasunroll.errors.InputError, match="exists"):
            comparison.save(tmp_path / "copy")

    def test_a_copy_can_be_gone_on_with(self, compared, tmp_path):
        """What came from Python lies in the folder, wherever that is: nothing is measured again, nothing is missing."""
        comparison, _ = compared
        copy = comparison.save(tmp_path / "moved")
        again = kerasunroll.measure(resume=copy, **QUICK)
        assert [record.key for record in again.records] == [record.key for record in comparison.records]
        assert [record.created for record in again.records] == [record.created for record in comparison.records]

    def test_the_command_line_reads_it(self, compared, capsys):
        with pytest.raises(SystemExit) as end:
            main(["report", str(compared[0].folder)])
        assert end.value.code == 0
        assert compared[0].verdict.text[:30] in " ".join(capsys.readouterr().out.split())

    def test_two_runs_are_set_against_each_other(self, compared):
        comparison, _ = compared
        found = comparison.diff(comparison)
        assert all(change.ratio.value == 1 for change in found.changes)


class TestOnePathThroughTheCode:
    def test_command_and_python_ask_and_find_the_same(self, tmp_path):
        x, y = some_data()
        np.savez(tmp_path / "data.npz", x=x, y=y)
        keras.utils.set_random_seed(0)
        build(False).save(tmp_path / "mine.keras")
        source, model = f"npz:{tmp_path / 'data.npz'}", tmp_path / "mine.keras"
        options = [
            "--unroll",
            "loop",
            "--unroll",
            "full",
            "--epochs",
            "1",
            "--batch-size",
            "16",
            "--processes",
            "1",
            "--max-rounds",
            "10",
        ]
        with pytest.raises(SystemExit) as end:
            main(["compare", "--model", str(model), "--source", source, "--logdir", str(tmp_path), *options])
        assert end.value.code == 0
        commanded = kerasunroll.Comparison.load(tmp_path / "compare")
        called = kerasunroll.compare(model, source, batch_size=16, **QUICK)
        assert [record.key for record in called.records] == [record.key for record in commanded.records]
        for name in ("parameters", "training_step_nodes", "final_loss", "final_accuracy"):
            assert list(called.table[name]) == list(commanded.table[name]), name
        assert list(called.table.columns) == list(commanded.table.columns)


class TestInterrupted:
    def test_what_is_there_is_kept_and_the_rest_measured_later(self, tmp_path):
        x, y = some_data()
        folder = tmp_path / "run"

        def interrupt_once_timed():
            while len(list((folder / "records").glob("*.json"))) < 2:
                done.wait(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        done = threading.Event()
        threading.Thread(target=interrupt_once_timed, daemon=True).start()
        with pytest.warns(KerasunrollWarning, match=r"loop: training.*resume=comparison"):
            interrupted = kerasunroll.compare(build, x, y, epochs=20, folder=folder, **QUICK)
        assert [entry.split(": ")[1] for entry in interrupted.missing] == ["training", "training"]
        assert "Not measured to the end" in repr(interrupted)
        assert "Not measured to the end" in interrupted._repr_html_()
        timed = [each.timing.created for each in interrupted.measured]
        again = kerasunroll.compare(resume=interrupted, **QUICK)
        assert again.missing == []
        assert [each.timing.created for each in again.measured] == timed

    def test_nothing_measured_is_an_interrupt(self, tmp_path):
        x, y = some_data()
        threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            kerasunroll.compare(build, x, y, folder=tmp_path / "run", **QUICK)


class TestGoingOn:
    """What lies in the folder decides; what was passed beside it, or has changed since, is refused."""

    @pytest.mark.parametrize("passed", [{"epochs": 9}, {"unroll": "own-loop"}, {"x": X}, {"batch_size": 3}])
    def test_other_settings_are_refused(self, compared, passed):
        with pytest.raises(kerasunroll.errors.InputError, match=f"{next(iter(passed))}= cannot be given"):
            kerasunroll.compare(resume=compared[0], **passed)

    def test_changed_data_are_noticed(self, compared, tmp_path):
        copy = compared[0].save(tmp_path / "copy")
        file = next(
            path
            for path in (copy / "given" / "data" / "train").rglob("*")
            if path.is_file() and path.stat().st_size > 900
        )
        content = bytearray(file.read_bytes())
        content[500] ^= 1
        file.write_bytes(bytes(content))
        with pytest.raises(kerasunroll.errors.InputError, match="has changed since the run was begun"):
            kerasunroll.compare(resume=copy, **QUICK)
        file.unlink()
        with pytest.raises(kerasunroll.errors.InputError, match="is missing"):
            kerasunroll.compare(resume=copy, **QUICK)


class TestATemporaryFolder:
    def test_it_goes_with_the_comparison(self):
        x, y = some_data()
        comparison = kerasunroll.measure(build, x, y, inference=False, **QUICK)
        folder = comparison.folder
        assert comparison.verdict.text.startswith("Only the loop was measured")
        assert folder.is_dir()
        del comparison
        assert not folder.exists()


def lstm(*, compiled=True, timesteps=6, layer=None):
    layer = layer or keras.layers.LSTM(4)
    model = keras.Sequential([keras.Input((timesteps, 3)), layer, keras.layers.Dense(3)])
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy")
    return model


LOCK = threading.Lock()


class Locked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.lock = LOCK


def locked():
    def locked_loss(y_true, y_pred):
        with LOCK:
            return keras.ops.mean(y_pred, -1)

    return locked_loss


def with_loss(loss):
    model = lstm(compiled=False)
    model.compile("adam", loss)
    return model


def dataset(*, batched=True):
    found = tf.data.Dataset.from_tensor_slices(some_data())
    return found.batch(16) if batched else found


BAD = {
    "an uncompiled model": (lambda: {"model": lstm(compiled=False)}, "is not compiled"),
    "an uncompiled function": (lambda: {"model": lambda _: lstm(compiled=False)}, "is not compiled"),
    "no recurrent layer": (lambda: {"model": lstm(layer=keras.layers.Flatten())}, "no recurrent layer"),
    "no model": (lambda: {"model": 3}, "got int"),
    "a setting twice": (lambda: {"unroll": ["loop", "full", False]}, "'loop' is there twice"),
    "no setting": (lambda: {"unroll": []}, "at least one unroll setting"),
    "an unknown setting": (lambda: {"unroll": "half"}, "got 'half'"),
    "a setting for two layers": (lambda: {"unroll": ["loop,full"]}, "each of the 1 layers"),
    "full, T unknown": (lambda: {"model": lstm(timesteps=None)}, "cannot be fully unrolled"),
    "other features": (lambda: {"x": X[..., :2]}, r"takes the shape \(any, 6, 3\)"),
    "targets that the loss refuses": (lambda: {"y": np.zeros((48, 7))}, "does not take the data"),
    "other lengths": (lambda: {"y": Y[:-1]}, "x has 48, y has 47"),
    "no data": (lambda: {"x": None, "y": None}, "Expected data"),
    "empty data": (lambda: {"x": X[:0], "y": Y[:0]}, "x is empty"),
    "a loss that cannot be sent": (lambda: {"model": with_loss(locked())}, r"'LOCK' of 'loss' \(locked_loss\)"),
    "a lambda that cannot be sent": (
        lambda: {"model": with_loss(lambda true, predicted: keras.ops.mean(predicted - true, -1) * id(LOCK))},
        r"'loss' \(<lambda>\).* cannot be sent",
    ),
    "a callback that cannot be sent": (lambda: {"callbacks": [Locked()]}, r"number 1 \(Locked\) of callbacks"),
    "an unwritable folder": (lambda: {"folder": "/proc/nothing"}, "Cannot make folder"),
    "a batch too large": (lambda: {"batch_size": 49}, "more than the 48 sequences"),
    "batches without end": (lambda: {"x": dataset().repeat(), "y": None}, "steps_per_epoch"),
    "no batches": (lambda: {"x": dataset().take(0), "y": None}, "got no batch"),
    "single sequences": (lambda: {"x": dataset(batched=False), "y": None}, r"\.batch\(32\)"),
    "targets beside batches": (lambda: {"x": dataset()}, "y= is for arrays"),
    "both weights": (lambda: {"class_weight": {0: 1.0}, "sample_weight": np.ones(48)}, "not both"),
    "a failing function": (lambda: {"model": lambda _: 1 / 0}, "ZeroDivisionError"),
    "a function without a model": (lambda: {"model": lambda _: None}, "got NoneType"),
    "a stack without a head": (
        lambda: {"model": StackConfig(cell="gru", input_shape=(6, 3), units=(4,))},
        "no head",
    ),
    "a stack of another shape": (
        lambda: {"model": StackConfig(cell="gru", input_shape=(7, 3), units=(4,), head=kerasunroll.Classification(3))},
        r"Give input_shape=\(6, 3\)",
    ),
    "single sequences with targets of one number": (
        lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y[:, None])), "y": None},
        r"\.batch\(32\)",
    ),
    "validation data of another shape": (
        lambda: {"validation_data": (X[..., :2], Y)},
        r"takes the shape \(any, 6, 3\)",
    ),
    "callbacks that are none": (lambda: {"callbacks": ["early"]}, "Expected callbacks"),
    "class weights that are no dict": (lambda: {"class_weight": [1.0, 2.0]}, "must be a dict"),
    "a batch of none": (lambda: {"batch_size": 0}, "at least 1"),
    "a width in words": (lambda: {"half_width": "3%"}, "half_width must"),
    "no budget": (lambda: {"budget": "soon"}, "Invalid budget"),
    "resume with a model": (lambda: {"resume": "logs/compare"}, "Leave these out"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_before_any_worker(case, monkeypatch, tmp_path):
    def no_worker(*args, **kwargs):
        raise AssertionError("a worker was started")

    monkeypatch.setattr("kerasunroll.measurement.workers.worker.Worker._start", no_worker)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    arguments, says = BAD[case]
    given = {"model": lstm(), "x": X, "y": Y, **arguments()}
    with pytest.raises(kerasunroll.errors.InputError, match=says) as error:
        kerasunroll.compare(**given)
    assert "Traceback" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
