"""`kerasunroll draw`: files, whole or not at all, and what is said of bad input."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from kerasunroll.cli import main
from kerasunroll.figures.diagram import KINDS
from kerasunroll.figures.flow_history import FLOW_FILE, FlowHistory, save_histories
from kerasunroll.models import StackConfig


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_folder(here):
    """What `kerasunroll train` leaves of an LSTM over 5 time steps: its record and its gradients."""
    folder = here / "run"
    folder.mkdir()
    stack = StackConfig(cell="lstm", input_shape=(5, 1), units=(3,)).model_dump(mode="json")
    del stack["unroll"]
    (folder / "run.json").write_text(json.dumps({"configuration": {"stack": stack}, "variant": "full"}))
    norms = 10.0 ** np.array([[-5.0, -4, -3, -2, -1]])
    save_histories([FlowHistory("lstm_1", np.array([1]), dict.fromkeys("hcx", norms), 0 * norms)], folder)
    return folder


def draw(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main(["draw", *map(str, arguments)])
    return end.value.code


def refused(capsys, *arguments) -> str:
    assert draw(*arguments) == 2
    return capsys.readouterr().err


def marked(path, role):
    return [each for each in ElementTree.parse(path).iter() if each.get("class") == role]  # noqa: S314


def test_all_pictures_by_default(here, capsys):
    assert draw() == 0
    assert sorted(path.name for path in here.iterdir()) == sorted(f"{kind}.svg" for kind in KINDS)
    assert capsys.readouterr().out.splitlines() == [f"{kind}.svg" for kind in KINDS]
    assert len(marked(here / "unfolded.svg", "cell")) == 2 * 6


def test_the_options_are_what_is_drawn(here):
    options = ["--cell", "gru", "--units", "8,8,4", "--timesteps", "7", "--unroll", "loop,full,k3", "--truncate", "3"]
    assert draw("--kind", "execution", *options, "--recompute", "4", "-o", "deep/er/how.svg") == 0
    path = here / "deep" / "er" / "how.svg"
    counts = [len([each for each in marked(path, "cell") if each.get("data-layer") == layer]) for layer in "123"]
    # A segment of 4 in a loop, then 3: loop 1 and 1, full 4 and 3, k3 3 and 1, then 3.
    assert counts == [2, 4, 6]
    assert [each.get("data-layer") for each in marked(path, "rest")] == ["2", "2", "2", "3"]
    assert [each.get("data-t") for each in marked(path, "cut")] == ["3", "6"] * 3
    assert [each.get("data-t") for each in marked(path, "kept")] == ["0", "4", "5", "6"] * 3
    assert draw("--kind", "unfolded", "--timesteps", "50", "--show", "5", "--bidirectional", "-o", "long.svg") == 0
    assert len(marked(here / "long.svg", "cell")) == 2 * 2 * 5


def test_png(here):
    assert draw("--kind", "folded", "-o", "loop.png") == 0
    assert (here / "loop.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert [path.name for path in here.iterdir()] == ["loop.png"]
    assert draw("-o", "net.svg", "--units", "4") == 0
    assert (here / "net-backward.svg").exists()


def test_a_run_is_drawn_with_its_gradients(here, run_folder):
    assert draw("--run", run_folder, "--kind", "backward") == 0
    arrows = sorted(marked(here / "backward.svg", "input gradient"), key=lambda each: each.get("data-t"))
    shades = [sum(bytes.fromhex(each.get("stroke")[1:])) for each in arrows]
    assert len(shades) == 5
    assert shades == sorted(shades, reverse=True)
    assert shades[0] > shades[-1]


def test_a_model_is_drawn(here):
    import keras

    from kerasunroll.models import build_stack

    config = StackConfig(cell="gru", input_shape=(6, 1), units=(3, 2), unroll=True)
    build_stack(config).save("mine.keras")
    assert draw("--model", "mine.keras", "--kind", "execution") == 0
    assert len(marked(here / "execution.svg", "cell")) == 2 * 6
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save("dense.keras")
    assert draw("--model", "dense.keras", "--kind", "folded") == 2
    assert not (here / "folded.svg").exists()


def test_a_file_that_is_there_is_kept(here, capsys):
    (here / "execution.svg").write_text("mine")
    assert "'execution.svg' exists already" in refused(capsys)
    assert [(path.name, path.read_text()) for path in here.iterdir()] == [("execution.svg", "mine")]
    assert draw("--kind", "execution", "--overwrite") == 0
    assert (here / "execution.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--units", "8,x"], "Invalid units"),
        (["--timesteps", "0"], "Invalid input_shape"),
        (["--unroll", "k1"], "Invalid unroll setting"),
        (["--unroll", "auto"], "unroll='auto'"),
        (["--unroll", "loop,full,k2"], "one for each of the 2 layers"),
        (["--unroll", "k8", "--recompute", "4"], "contradict each other"),
        (["--truncate", "0"], "Invalid truncate"),
        (["-o", "picture.jpg"], "ends in .svg or .png"),
        (["--model", "missing.keras"], "No such file"),
        (["--model", "m.keras", "--cell", "gru"], "--model says what the network is, so that --cell"),
        (["--run", "nowhere"], "run.json' cannot be read"),
        (["--run", "nowhere", "--timesteps", "4"], "--run says what the network is, so that --timesteps"),
        (["--layer", "lstm"], "--layer goes with --model"),
        (["--training-step", "4"], "--training-step goes with --run"),
    ],
)
def test_bad_input_leaves_nothing_behind(here, capsys, arguments, message):
    assert message in refused(capsys, *arguments)
    assert list(here.iterdir()) == []


def test_a_folder_that_is_no_run_or_half_of_one(here, run_folder, capsys):
    (run_folder / FLOW_FILE).write_bytes(b"torn")
    assert "cannot be read" in refused(capsys, "--run", run_folder)
    (run_folder / FLOW_FILE).unlink()
    assert "no gradients through time" in refused(capsys, "--run", run_folder)
    (run_folder / "run.json").write_text("[]")
    assert "no record of a training run" in refused(capsys, "--run", run_folder)
    (here / "file").touch()
    for name in ("picture.svg", "picture.png"):
        assert "Cannot write to folder" in refused(capsys, "--kind", "folded", "-o", here / "file" / name)
    assert sorted(path.name for path in here.iterdir()) == ["file", "run"]
