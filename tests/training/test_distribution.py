"""One training run over two logical CPUs against the same run on one CPU."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from one_and_two_cpus import BATCH, BATCHES, CLIPNORM, data, network

from kerasunroll.cli.devices import parse_devices
from kerasunroll.data import open_source
from kerasunroll.errors import DataError, InputError
from kerasunroll.measurement.planning.variant import Variant, group_name
from kerasunroll.training.config import TrainingConfig

PROGRAM = Path(__file__).with_name("one_and_two_cpus.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run([sys.executable, PROGRAM, folder], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def float64():
    # The policy too: once a test has set one, it follows floatx no more.
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def kept(folder: Path, what: str) -> list[np.ndarray]:
    with np.load(folder / "kept.npz") as file:
        return [file[name] for name in file.files if name.startswith(what)]


def gradients_by_hand(weights: list[np.ndarray], part: slice, share: float = 1.0) -> list[np.ndarray]:
    """The gradient of `share` times the mean loss over some sequences, in float64, without any strategy."""
    import tensorflow as tf

    x, y = data()
    model = network("sgd")
    model.set_weights(weights)
    with tf.GradientTape() as tape:
        loss = share * model.loss(y[part], model(x[part], training=True))
    return [np.asarray(tf.convert_to_tensor(each)) for each in tape.gradient(loss, model.trainable_variables)]


def test_two_devices_train_as_one_does(trained):
    for what in ("before", "after", "loss", "val_loss"):
        one, two = kept(trained / "one", what), kept(trained / "two", what)
        assert one
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-14)


def test_norms_are_those_of_the_averaged_gradient(trained, events, float64):
    """Logged as float32; the first by hand, of the whole batch at once."""
    one, two = (events(trained / name / "train") for name in ("one", "two"))
    norms = {tag for tag in one.tags if tag.startswith("gradient_norm/")}
    assert len(norms) == 1 + len(kept(trained / "one", "before"))
    for tag in norms:
        assert list(two.scalars(tag)) == list(range(1, BATCHES + 1))
        np.testing.assert_allclose(list(two.scalars(tag).values()), list(one.scalars(tag).values()), rtol=1e-6)
    by_hand = gradients_by_hand(kept(trained / "two", "before"), slice(0, BATCH))
    total = np.sqrt(sum(np.sum(gradient**2) for gradient in by_hand))
    assert two.scalars("gradient_norm/global")[1] == pytest.approx(total, rel=1e-6)
    assert two.scalars("gradient_norm/embedding/embeddings")[1] == pytest.approx(np.linalg.norm(by_hand[0]), rel=1e-6)


def test_each_device_clips_its_own_share(trained, float64):
    """What docs/devices.md says of `clipnorm`: Keras clips first and adds up then."""
    before, after = kept(trained / "clipped", "before"), kept(trained / "clipped", "after")
    assert len(after) == len(before)
    weights = before
    for batch in range(BATCHES):
        start = batch * BATCH
        halves = [slice(start, start + BATCH // 2), slice(start + BATCH // 2, start + BATCH)]
        shares = [gradients_by_hand(weights, half, share=0.5) for half in halves]
        weights = [weight - clipped(a) - clipped(b) for weight, a, b in zip(weights, *shares, strict=True)]
    for expected, weight in zip(weights, after, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-9, atol=1e-12)


def clipped(gradient: np.ndarray) -> np.ndarray:
    return gradient * min(1.0, CLIPNORM / np.linalg.norm(gradient))


def test_everything_is_logged_as_on_one_device(trained, events):
    for run in ("train", "validation"):
        assert events(trained / "two" / run).tags == events(trained / "one" / run).tags, run
    one, two = (events(trained / name / "train") for name in ("one", "two"))
    through_time = {tag for tag in one.scalar_tags if tag.startswith("gradient_through_time/")}
    assert len(through_time) == 4
    for tag in through_time:
        assert two.scalars(tag)[1] == pytest.approx(one.scalars(tag)[1], rel=1e-6)
    assert two.text("gradient_through_time/summary") == one.text("gradient_through_time/summary")
    assert two.scalars("batch_loss") == pytest.approx(one.scalars("batch_loss"), rel=1e-6)
    assert set(two.scalars("time/trace_seconds").values()) != {0.0}


def test_the_graph_shows_both_replicas(trained, events):
    scopes = {tuple(name.split("/")[:3]) for name in events(trained / "two" / "train").node_names()}
    for layer in ("lstm_1", "gru_1"):
        assert any(scope[0] == layer for scope in scopes)
        assert any(scope[:2] == ("replica_1", layer) for scope in scopes)
    assert ("replica_1", "lstm_1", "t002") in scopes


def test_the_model_can_be_used_on_one_device(trained):
    model = keras.models.load_model(trained / "two" / "model.keras")
    for weight, expected in zip(model.get_weights(), kept(trained / "two", "after"), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.slow
def test_the_command(tmp_path):
    command = [sys.executable, "-c", "from kerasunroll.cli import main; main()"]
    tiny = ["--source", "adding", "--timesteps", "6", "--examples", "80", "--units", "3", "--epochs", "1"]
    options = ["--cell", "gru", "--unroll", "own-loop", "--clipnorm", "0", "--logdir", tmp_path]
    for devices in ("1", "2"):
        spread = [*command, "train", *tiny, *options, "--distribute", devices]
        done = subprocess.run(spread, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    one, two = (
        json.loads((tmp_path / group / "own-loop" / "run.json").read_text())
        for group in ("gru-L1-U3-T6", "gru-L1-U3-T6-D2")
    )
    assert two["configuration"] == one["configuration"] | {"distribute": 2}
    assert two["figures"]["final_loss"] == pytest.approx(one["figures"]["final_loss"], rel=1e-4)
    assert two["figures"]["tensor_peak_bytes"] > two["figures"]["tensor_alive_bytes"] > 0


@pytest.fixture
def machine(monkeypatch):
    """A function that makes this machine one with so many cores and GPUs."""
    from kerasunroll.measurement.records import environment as module

    here = module.environment()

    def pretend(cores: float, gpus: int = 0, visible: str | None = None) -> None:
        pretended = here.model_copy(update={"usable_cores": cores, "gpus": ("H200 (141 GB)",) * gpus})
        monkeypatch.setattr(module, "environment", lambda: pretended)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return pretend


@pytest.mark.parametrize(
    ("text", "here", "expected"),
    [
        ("2", {"cores": 2.0}, 2),
        ("all", {"cores": 4.5}, 4),
        ("all", {"cores": 16, "gpus": 3}, 3),
        ("all", {"cores": 16, "gpus": 3, "visible": "0,2"}, 2),
        ("all", {"cores": 16, "gpus": 3, "visible": "-1"}, 16),
        ("1", {"cores": 2.0}, None),
        ("all", {"cores": 0.5}, None),
    ],
)
def test_the_number_of_devices(machine, text, here, expected):
    machine(**here)
    assert parse_devices(text) == expected


@pytest.mark.parametrize("command", ["train", "compare"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--distribute", "x"], "Invalid --distribute: expected a number of devices such as 2, or all, got 'x'."),
        (["--distribute", "0"], "Invalid --distribute: expected a number of devices such as 2, or all, got '0'."),
        (
            ["--distribute", "3"],
            "--distribute 3 is more than this machine has: 2 CPU core(s) and no GPU. Give at most 2",
        ),
        (
            ["--distribute", "2", "--batch-size", "33"],
            "cannot be divided into equal shares for 2 devices. Give a multi",
        ),
        (["--distribute", "2", "--jit"], "XLA cannot compile a training step that runs on several devices"),
    ],
)
def test_what_cannot_be_distributed_ends_with_status_2(machine, tmp_path, capsys, command, arguments, message):
    from kerasunroll.cli import main

    machine(cores=2.0)
    with pytest.raises(SystemExit) as ended:
        main([command, "--timesteps", "4", *arguments, "--logdir", str(tmp_path / "logs")])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


def test_a_look_at_the_data_is_no_epoch():
    source = open_source("digits", timesteps=4)
    plain, looked_at = source.train(500), source.train(500, looks=1)
    next(iter(looked_at))
    for _ in range(2):
        one, two = (np.concatenate([x for x, _ in batches]) for batches in (plain, looked_at))
        np.testing.assert_array_equal(two, one)


def test_spread_and_plain_runs_are_different_questions():
    source = open_source("digits", timesteps=4)
    plain, spread = (
        Variant(TrainingConfig.for_source(source, cell="lstm", units=(4,), distribute=devices), Path())
        for devices in (None, 2)
    )
    assert (group_name(plain.config), group_name(spread.config)) == ("lstm-L1-U4-T4", "lstm-L1-U4-T4-D2")
    assert spread.question("timing") == plain.question("timing") | {"distribute": 2}
    with pytest.raises(DataError, match="Give a multiple of 2, such as --batch-size 34"):
        TrainingConfig.for_source(source, cell="lstm", units=(4,), distribute=2, batch_size=33).check(source)
    with pytest.raises(InputError, match="Invalid distribute"):
        TrainingConfig.for_source(source, cell="lstm", units=(4,), distribute=1)
