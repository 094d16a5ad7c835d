"""`kerasunroll deploy`, from the command line and from Python: real files, in processes of their own."""

import shutil
from datetime import UTC, datetime

import keras
import numpy as np
import pytest
from matplotlib.colors import to_hex
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasunroll
from kerasunroll import Classification
from kerasunroll.cli import main
from kerasunroll.display.colours import setting_colours
from kerasunroll.errors import InputError
from kerasunroll.measurement.records import store
from kerasunroll.models import StackConfig

QUICK = {"processes": 1, "max_rounds": 10, "progress": False}
X = np.random.default_rng(0).normal(size=(12, 4, 3)).astype("float32")


def stack(**options):
    options = {"input_shape": (4, 3), "units": (4,), "head": Classification(3), "seed": 1, **options}
    return StackConfig(cell="lstm", **options)


def call(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A model that is not compiled, with sequences of its own."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 3)), keras.layers.GRU(4), keras.layers.Dense(3)]
    folder = tmp_path_factory.mktemp("deployed") / "run"
    model = keras.Sequential(layers)
    deployment = kerasunroll.deploy(
        model, X, unroll=["loop", "full"], quantize=["none", "int8"], streaming=True, folder=folder, **QUICK
    )
    return deployment, model


class TestFromPython:
    def test_keras_s_loop_converts_for_a_fixed_batch_only(self, deployed):
        table = deployed[0].table.set_index("contender")
        assert table.loc["loop fixed", "outcome"] == "done"
        assert table.loc["loop dynamic", "outcome"] == "failed"
        assert "TensorList" in table.loc["loop dynamic", "cause"]
        assert list(table.loc[["full fixed", "full dynamic", "loop streaming"], "outcome"]) == ["done"] * 3
        assert table.loc["full fixed", "path"].startswith("with a fixed batch, by ")  # which runtime, and its version

    def test_a_converter_that_crashes_is_an_outcome(self, deployed):
        """TensorFlow 2.21's converter is killed by SIGSEGV where it quantises this loop; others go on."""
        row = next(row for row in deployed[0].rows if row.name == "loop fixed int8")
        assert row.record.outcome.value in ("crashed", "done")
        assert row.is_made or "SIGSEGV" in row.record.cause
        assert next(row for row in deployed[0].rows if row.name == "full fixed int8").is_made

    def test_all_that_run_compute_the_same(self, deployed):
        for row in deployed[0].rows:
            assert row.computes_the_same in (True, None)
            assert (row.computes_the_same is None) == (not row.is_made)

    def test_the_file_is_what_another_interpreter_runs(self, deployed):
        deployment, model = deployed
        litert = pytest.importorskip("ai_edge_litert.interpreter", reason="not installed: pip install '.[litert]'")
        interpreter = litert.Interpreter(model_path=str(deployment.file("full fixed")))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X[:1])
        interpreter.invoke()
        outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(outputs, model(X[:1]), rtol=1e-5, atol=1e-6)

    def test_what_is_taken_is_written_out(self, deployed, tmp_path):
        deployment, _ = deployed
        written = deployment.write(tmp_path / "model.tflite")
        assert written.read_bytes() == deployment.file().read_bytes()
        with pytest.raises(InputError, match=r"ends in '\.tflite'"):
            deployment.write(tmp_path / "model.onnx")
        (tmp_path / "folder.tflite").mkdir()
        with pytest.raises(InputError, match="exists already"):
            deployment.write(tmp_path / "folder.tflite")
        with pytest.raises(InputError, match="There is no file of 'loop dynamic'"):
            deployment.write(tmp_path / "other.tflite", "loop dynamic")

    def test_it_is_read_again_and_judged_by_other_limits(self, deployed):
        deployment, _ = deployed
        again = kerasunroll.Deployment.load(deployment.folder)
        assert repr(again) == repr(deployment)
        from kerasunroll.deployment.verdict import DeviceLimits

        small = kerasunroll.Deployment.load(deployment.folder, DeviceLimits(flash_bytes=10))
        assert small.verdict.take is None
        assert "the limit is 10 Bytes" in small.verdict.text
        with pytest.raises(InputError, match="no deployment"):
            kerasunroll.Deployment.load(deployment.folder / "files")

    def test_tensorboard_has_the_verdict_and_a_run_per_contender(self, deployed):
        deployment, _ = deployed
        events = EventAccumulator(str(deployment.folder)).Reload()
        assert "deployment/verdict" in events.Tags()["tensors"]
        run = next((deployment.folder / "runs").glob("full-fixed.tflite"))
        (size,) = EventAccumulator(str(run)).Reload().Tensors("deployment/file_bytes")
        assert size.tensor_proto.float_val[0] == pytest.approx(deployment.file("full fixed").stat().st_size)

    def test_it_shows_itself(self, deployed, tmp_path):
        deployment, _ = deployed
        assert deployment._repr_html_().count("<svg") == 3
        assert "full fixed" in deployment.report(tmp_path / "report.html").read_text()
        assert "| full fixed |" in deployment.report(tmp_path / "report.md").read_text()
        axes = deployment.plot("size")
        assert [bar.get_width() for bar in axes.patches] == list(deployment.table["file_bytes"].dropna())
        settings = [label.get_text().split()[0] for label in axes.get_yticklabels()]
        colours = setting_colours(row.contender.setting for row in deployment.rows)
        assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [colours[setting] for setting in settings]
        with pytest.raises(InputError, match="'speed'"):
            deployment.plot("speed")

    def test_a_file_that_computes_something_else_is_out_and_never_written(self, deployed, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(deployed[0].folder, folder)
        right = next(each for each in deployed[0].records if each.variant == "full fixed")
        figures = {**right.figures, "largest_difference": 0.3}
        wrong = right.model_copy(update={"figures": figures, "created": datetime.now(UTC)})
        store.save(wrong, folder / store.RECORDS)
        found = kerasunroll.Deployment.load(folder)
        assert found.verdict.out["full fixed"].startswith("computes something else (its outputs differ by up to 0.3")
        assert found.verdict.take != "full fixed"
        with pytest.raises(InputError, match="computes something else"):
            found.write(tmp_path / "model.tflite", "full fixed")


class TestFromTheCommandLine:
    def test_a_network_made_here(self, tmp_path, capsys):
        out = tmp_path / "out.tflite"
        status = call(
            *("deploy", "--cell", "simple_rnn", "--units", "4", "--timesteps", "4", "--unroll", "full", "--write", out),
            *("--logdir", tmp_path, "--processes", "1", "--max-rounds", "10", "--micro"),
        )
        said = capsys.readouterr().out
        assert status == 0, said
        assert "Take full" in " ".join(said.split())
        assert out.stat().st_size > 500
        assert (tmp_path / "deploy" / "report.html").is_file()

    def test_nothing_to_take_is_status_1(self, tmp_path, capsys):
        keras.utils.set_random_seed(0)
        keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(4), keras.layers.Dense(3)]).save(tmp_path / "m.keras")
        np.savez(tmp_path / "x.npz", x=X, y=np.arange(12) % 3)
        status = call(
            *("deploy", tmp_path / "m.keras", "--unroll", "full", "--flash-limit", "1kB", "--logdir", tmp_path),
            *("--data", f"npz:{tmp_path / 'x.npz'}", "--processes", "1", "--max-rounds", "10"),
        )
        printed = capsys.readouterr()
        said = " ".join(printed.out.split())
        assert status == 1, printed.err
        assert "No file can be recommended" in said
        assert "the limit is 1.0 kB" in said

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ([], "Expected a .keras file, or a network"),
            (["--cell", "lstm", "--target", "coreml"], "Unknown target 'coreml'"),
            (
                ["--cell", "lstm", "--target", "litert,edgetpu"],
                "Unknown target 'edgetpu': expected one of litert, onnx",
            ),
            (["--cell", "lstm", "--quantize", "none,int4"], "Unknown quantize 'int4'"),
            (["--cell", "lstm", "--unroll", "half"], "got 'half'"),
            (["--cell", "lstm", "--write", "model.onnx"], "ends in .tflite"),
            (["--cell", "lstm", "--target", "coreml", "--write", "model.mlmodel"], "Unknown target 'coreml'"),
            (["--cell", "lstm", "--target", "saved_model", "--write", "."], "exists already"),
            (["--cell", "lstm", "--threads", "5000"], "from 1 to 1024"),
            (["--cell", "lstm", "--write", "/dev/null/model.tflite"], "cannot write to '/dev/null'"),
            (["nothing.keras"], "No such file"),
            (["nothing.keras", "--cell", "lstm"], "--cell cannot be"),
            (["--cell", "lstm", "--flash-limit", "much"], "expected a size"),
            (["--cell", "lstm", "--latency-limit", "soon"], "expected a time"),
        ],
    )
    def test_bad_input_is_one_sentence(self, arguments, says, tmp_path, capsys):
        assert call("deploy", *arguments, "--logdir", tmp_path / "logs") == 2
        said = capsys.readouterr().err
        assert says in said
        assert "Traceback" not in said
        assert not (tmp_path / "logs").exists()


def test_a_saved_model_of_several_signatures_is_refused(tmp_path, capsys):
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(4)])
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name in ("serve", "again"):
        archive.add_endpoint(name, model.call, [keras.InputSpec(shape=(1, 4, 3), dtype="float32")])
    archive.write_out(str(tmp_path / "exported"), verbose=False)
    assert call("deploy", tmp_path / "exported", "--logdir", tmp_path / "logs") == 2
    said = capsys.readouterr().err
    assert "is a directory (a TensorFlow SavedModel), expected a .keras file" in said
    assert said.endswith("model.save('x.keras').\n")
    assert not (tmp_path / "logs").exists()


class TestBadInputInPython:
    def test_sequences_of_another_shape(self, tmp_path):
        with pytest.raises(InputError, match=r"takes the shape \(any, 4, 3\)"):
            kerasunroll.deploy(stack(), X[..., :2], folder=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_too_few_for_a_batch(self, tmp_path):
        with pytest.raises(InputError, match="12 sequences, which make no batch of 16"):
            kerasunroll.deploy(stack(), X, batch_size=16, folder=tmp_path / "run")

    def test_an_unbuilt_model_without_sequences(self, tmp_path):
        model = keras.Sequential([keras.layers.LSTM(3)])
        with pytest.raises(InputError, match="is not built"):
            kerasunroll.deploy(model, folder=tmp_path / "run")

    def test_no_model(self, tmp_path):
        with pytest.raises(InputError, match="got int"):
            kerasunroll.deploy(3, folder=tmp_path / "run")

    def test_full_with_an_unknown_number_of_time_steps(self, tmp_path):
        model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4), keras.layers.Dense(3)])
        with pytest.raises(InputError, match="number of time steps is unknown"):
            kerasunroll.deploy(model, unroll="full", folder=tmp_path / "run")

    def test_an_unwritable_folder(self):
        with pytest.raises(InputError, match="Cannot make folder"):
            kerasunroll.deploy(stack(), X, folder="/proc/nothing")


def test_a_converter_without_time_is_ended_and_the_others_go_on(tmp_path):
    deployment = kerasunroll.deploy(
        stack(), X, unroll=["full"], time_limit="convert=10ms", folder=tmp_path / "run", **QUICK
    )
    assert {row.record.outcome.value for row in deployment.rows} == {"timeout"}
    assert all(row.record.phase == "convert" for row in deployment.rows)
    assert deployment.verdict.take is None
    assert "longer than its limit" in deployment.verdict.text
