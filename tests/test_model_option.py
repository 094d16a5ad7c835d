"""`--model`: the user's own model is measured and trained as the factories' are."""

import json
import shutil
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasunroll.cli import main
from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.models import SavedModel
from kerasunroll.training.config import TrainingConfig

layers = keras.layers
T, TOKENS, CLASSES, SEQUENCES = 6, 9, 3, 40


def run(*arguments):
    """Return the exit status."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code or 0
    return 0


def tokens_model():
    inputs = keras.Input((T,), dtype="int32")
    x = layers.Embedding(TOKENS, 4, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, name="rnn"))(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A compiled model, trained a little, and data for it."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    x, y = rng.integers(TOKENS, size=(SEQUENCES, T)), rng.integers(CLASSES, size=SEQUENCES)
    x[0, 0], y[0] = TOKENS - 1, CLASSES - 1
    np.savez(folder / "data.npz", x=x, y=y)
    model = tokens_model()
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:8], y[:8], verbose=0)
    model.save(folder / "mine.keras")
    return folder


@pytest.fixture
def files(made, tmp_path):
    """The path of a copy of that model, and the data source."""
    return Path(shutil.copy(made / "mine.keras", tmp_path)), f"npz:{made / 'data.npz'}"


def planned(files, **options):
    path, spec = files
    source = open_source(spec)
    return TrainingConfig.for_model(source, model=SavedModel.read(path), source=spec, **options), source


def test_measuring_a_model_for_real(files, tmp_path, capsys):
    path, spec = files
    arguments = [
        "--model",
        path,
        "--source",
        spec,
        "--unroll",
        "full",
        "--batch-size",
        8,
        "--max-rounds",
        10,
        "--processes",
        1,
    ]
    assert run("measure", *arguments, "--no-inference", "--logdir", tmp_path) == 0
    output = capsys.readouterr().out
    assert "mine.keras: bidirectional lstm of 3 units; trained with its own optimizer, loss and metrics" in output
    folder = tmp_path / "measure"
    records = store.load(folder / RECORDS).records
    assert {(record.variant, record.outcome.value) for record in records} == {("full", "done")}
    (timing,) = [record for record in records if record.configuration["measurement"] == "timing"]
    lstm = 4 * (4 * 3 + 3 * 3 + 3)
    assert timing.figures["parameters"] == TOKENS * 4 + 2 * lstm + 6 * CLASSES + CLASSES
    assert timing.path == "unrolled"
    assert timing.configuration["stack"]["path"] == "mine.keras"  # not where this machine has it
    (variant,) = json.loads((folder / "results.json").read_text())["variants"]
    assert variant["group"] == "mine-T6-B8"
    # The outputs before training are the saved model's own.
    with np.load(folder / "mine-T6-B8" / "full" / "outputs.npz") as outputs:
        x = open_source(spec).x_validation
        np.testing.assert_allclose(outputs["before"], keras.models.load_model(path)(x), atol=1e-6)
        assert np.abs(outputs["after"] - outputs["before"]).max() > 1e-4

    path.write_bytes(path.read_bytes() + b"x")
    assert run("measure", "--resume", folder) == 2
    assert "has changed since the run was begun. Start a new run." in capsys.readouterr().err


def test_a_compiled_model_keeps_its_state_and_goes_on(files):
    """One epoch in the full setting against Keras's own training of the saved model on the same batches."""
    from kerasunroll.training.session import prepare

    config, source = planned(files, unroll=True, batch_size=8)
    assert (config.optimizer, config.learning_rate, config.clipnorm) == (None, None, None)
    session = prepare(config)
    expected = keras.models.load_model(files[0])
    assert session.model.optimizer.iterations.numpy() == expected.optimizer.iterations.numpy() == 1
    assert float(session.model.optimizer.learning_rate.numpy()) == pytest.approx(0.02)
    for model in (session.model, expected):
        model.fit(source.train(8), shuffle=False, verbose=0)
    for ours, theirs in zip(session.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_model_that_is_not_compiled_gets_the_loss_of_the_data(files):
    from kerasunroll.training.session import prepare

    tokens_model().save(files[0])
    config, source = planned(files, optimizer="sgd", learning_rate=0.5)
    session = prepare(config)
    x, y = source.x_train[:8], source.y_train[:8]
    loss, _ = session.model.evaluate(x, y, verbose=0)
    probabilities = session.model.predict(x, verbose=0)  # it ends in a softmax
    assert loss == pytest.approx(-np.log(probabilities[np.arange(8), y]).mean(), rel=1e-5)
    assert float(session.model.optimizer.learning_rate.numpy()) == 0.5


def test_it_goes_through_plans_and_records(files):
    config, _ = planned(files, unroll=8)
    again = TrainingConfig(**json.loads(config.model_dump_json()))
    assert again == config
    assert isinstance(again.stack, SavedModel)
    full = config.with_unroll(True)
    assert full.setting == "full"
    question = [Variant(each, files[0]).question("timing") for each in (config, full)]
    assert question[0] == question[1]
    assert question[0]["stack"]["sha256"] == config.stack.sha256


def test_a_dict_of_outputs_is_compared_and_what_cannot_be_observed_is_said(tmp_path):
    from kerasunroll.errors import KerasunrollWarning
    from kerasunroll.training.run import train

    inputs = keras.Input((4, 2))
    inner = layers.TimeDistributed(layers.LSTM(2))(layers.Reshape((4, 2, 1))(inputs))
    model = keras.Model(inputs, {"out": layers.Dense(1)(layers.GRU(2)(inner))})
    model.compile("sgd", "mse")
    model.save(tmp_path / "a.keras")
    source = open_source("adding", timesteps=4, examples=40)
    options = {"source": "adding", "timesteps": 4, "examples": 40, "batch_size": 8, "epochs": 1}
    config = TrainingConfig.for_model(source, model=SavedModel.read(tmp_path / "a.keras"), unroll=2, **options)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = train(config, tmp_path / "run")
    said = " ".join(str(each.message) for each in warned if each.category is KerasunrollWarning)
    assert "are no arrays of real numbers" not in said
    with np.load(tmp_path / "run" / "outputs.npz") as outputs:
        assert len(outputs["before"]) == len(outputs["after"]) == source.validation_sequences
    assert (tmp_path / "run" / "model.keras").exists()
    assert "Gradients through time and states are not logged" in said
    assert np.isfinite(result["history"]["loss"]).all()


def test_outputs_that_are_no_real_numbers_are_left_out():
    from types import SimpleNamespace

    from kerasunroll.errors import KerasunrollWarning
    from kerasunroll.training.outputs import probe_outputs

    inputs = keras.Input((4, 2))
    classes = keras.ops.argmax(layers.LSTM(3)(inputs), axis=-1)
    source = SimpleNamespace(probed=lambda count: np.zeros((count, 4, 2), "float32"))
    session = SimpleNamespace(model=keras.Model(inputs, classes), source=source, batch_size=None)
    with pytest.warns(KerasunrollWarning, match="are no arrays of real numbers"):
        assert probe_outputs(session) is None


def test_a_model_for_one_size_of_batch_is_trained_with_it(tmp_path):
    from kerasunroll.training.run import train

    model = keras.Sequential(
        [keras.Input(batch_shape=(8, 4, 2)), layers.GRU(2, stateful=True), layers.Dense(1)],
    )
    model.compile("sgd", "mse")
    model.save(tmp_path / "a.keras")
    saved = SavedModel.read(tmp_path / "a.keras")
    options = {"source": "adding", "timesteps": 4, "examples": 50, "epochs": 1}
    source = open_source("adding", timesteps=4, examples=50)
    with pytest.raises(DataError, match="takes batches of 8 sequences only, got batch_size=32"):
        TrainingConfig.for_model(source, model=saved, **options).check(source)
    result = train(TrainingConfig.for_model(source, model=saved, batch_size=8, **options), tmp_path / "run")
    assert set(result["history"]) == {"loss", "val_loss"}
    assert np.load(tmp_path / "run" / "outputs.npz")["after"].shape == (8, 1)


def test_a_dry_run_plans_settings_batch_sizes_and_xla(files, tmp_path, capsys):
    path, spec = files
    axes = ["--unroll", "loop", "--unroll", "k2", "--batch-size", 8, "--batch-size", 16, "--jit", "--no-jit"]
    arguments = ["compare", "--model", path, "--source", spec, "--no-train", "--dry-run", *axes]
    assert run(*arguments, "--logdir", tmp_path / "logs") == 0
    output = capsys.readouterr().out
    assert "8 variants in 4 groups" in output
    for group in ("mine-T6-B8 ", "mine-T6-B16 ", "mine-T6-B8-xla", "mine-T6-B16-xla"):
        assert group in output
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "lstm", "--units", "3"], "so that --cell, --units cannot be given with it"),
        (["--bidirectional", "--dropout", "0.1"], "so that --bidirectional, --dropout cannot be given with it"),
        (["--layers", "2", "--dtype", "float32"], "so that --dtype, --layers cannot be given with it"),
        (["--clipnorm", "2"], "so that --clipnorm cannot be given with it"),
        (["--source", "adding", "--timesteps", "6"], "takes sequences of shape (6,), the source has (6, 2)"),
        (["--unroll", "loop,full"], "each of the 1 layers, got 2"),
        (["--model", "missing.keras"], "No such file"),
    ],
)
def test_what_does_not_go_with_the_model_is_refused_early(files, tmp_path, capsys, arguments, message):
    path, spec = files
    given = ["--model", path, "--source", spec, *arguments, "--logdir", tmp_path / "logs"]
    assert run("measure", *given) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


def test_custom_objects_are_for_a_model(capsys):
    assert run("measure", "--custom-objects", "a:b", "--dry-run") == 2
    assert "--custom-objects is for --model" in capsys.readouterr().err


def test_lengths_are_an_axis_where_the_model_leaves_them_open(tmp_path, capsys):
    path = tmp_path / "open.keras"
    keras.Sequential([keras.Input((None, 2)), layers.GRU(2), layers.Dense(1)]).save(path)
    lengths = ["--source", "adding", "--examples", 100, "--timesteps", 5, "--timesteps", 7]
    assert run("measure", "--model", path, *lengths, "--dry-run") == 0
    output = capsys.readouterr().out
    assert "open-T5" in output
    assert "open-T7" in output


def test_a_plan_with_a_model_comes_back_from_its_folder(files, tmp_path):
    from kerasunroll.measurement.planning.grid import ModelGrid

    path, spec = files
    grid = ModelGrid(SavedModel.read(path), [None], [8], [None], ["loop", "full"])
    plan = Plan.of_grid(grid, {"source": spec, "examples": None, "seed": 0}, "memory")
    plan.save(tmp_path / "run")
    again = Plan.load(tmp_path / "run")
    assert again == plan
    assert again.model == plan.model
    again.check_sources(Path())
