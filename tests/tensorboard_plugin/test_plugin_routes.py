"""What the routes of the tab answer, with TensorBoard's fast loader and without."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from fixed_run import write_run
from serving import answer, eventually, serving

from kerasunroll.callbacks.event_files.event_log import EventLog

STEPS = list(range(1, 41))
T = 7


def norms(step):
    return np.geomspace(1e-10, 1.0, T) / step


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A comparison, and two trainings of a script's."""
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "comparison", timesteps=(25, 50, 100))
    for setting in ("full", "loop"):
        log = EventLog(folder / "mine" / setting / "train")
        log.facts("training/began", {"model": "lstm"})
        for step in STEPS:
            for of, values in (("h", norms(step)), ("masked", np.zeros(T))):
                about = {"shows": "gradient", "layer": "lstm_1", "of": of, "go_backwards": False}
                log.array(f"gradient_through_time/lstm_1/{of}", values, step, about)
            log.scalars({"batch_loss": 1 / step}, step)
        log.facts("graph/training_step_operations", {"MatMul": 4})
        log.close()
        log = EventLog(folder / "mine" / setting / "validation")
        log.scalars({"evaluation_loss_vs_iterations": 0.5}, 40)
        log.close()
    return folder


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast loader", "slow loader"])
def url(request, folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("tensorboard") / "output.txt"
    with serving(folder, output, "--load_fast", request.param) as url:
        eventually(lambda: len(answer(url + "data/runs")) == 4)
        yield url + "data/plugin/kerasunroll/"


def ask(url, route, **arguments):
    return answer(f"{url}{route}?{urllib.parse.urlencode(arguments)}")


def refused(url, route, **arguments):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(url, route, **arguments)
    with refusal.value as response:
        return response.code, json.load(response)["error"]


def array(found):
    values = np.frombuffer(base64.b64decode(found["float64"]), "<f8")
    return values.reshape(found["shape"])


def test_contents_say_what_there_is(url):
    contents = ask(url, "contents")
    assert contents["comparisons"] == ["comparison"]
    names = [network["name"] for network in contents["networks"]]
    assert names == [*(f"comparison/lstm-L2-U64-T{t}" for t in (100, 25, 50)), "mine"]
    loop, full = contents["networks"][-1]["trainings"]
    assert (loop["setting"], loop["run"], loop["gradients"]) == ("loop", "mine/loop/train", {"lstm_1": ["h"]})
    assert full["colour"] == "#d55e00"
    assert contents["networks"][0]["colours"]["full"] == full["colour"]


def test_all_entries_are_kept_and_whole(url):
    found = ask(url, "gradients", run="mine/full/train", layer="lstm_1", quantity="h")
    assert found["training_steps"] == STEPS
    assert array(found["norms"]) == pytest.approx(np.array([norms(step) for step in STEPS]))
    # 1e-10, 5e-9, 2e-7, 1e-5, ...: seen from the end, the third is the first below a millionth.
    assert found["vanishing"] == [2] * len(STEPS)


def test_curves_begin_when_the_training_began(url):
    curves = ask(url, "training", network="mine")["curves"]
    (loop, full) = curves["batch_loss"]
    assert (loop["setting"], full["setting"], loop["steps"]) == ("loop", "full", STEPS)
    assert array(loop["values"]) == pytest.approx([1 / step for step in STEPS])
    assert 0 <= array(loop["seconds"])[0] <= array(loop["seconds"])[-1]
    assert [each["kind"] for each in curves["evaluation_loss_vs_iterations"]] == ["validation"] * 2


def test_lines_over_t_are_those_of_the_report(url):
    (sweep,) = ask(url, "cost", comparison="comparison")["sweeps"]
    (steps,) = [figure for figure in sweep["figures"] if figure["title"] == "training step"]
    loop = next(curve for curve in steps["curves"] if curve["setting"] == "loop")
    assert loop["values"] == pytest.approx([30e-6 * t for t in (25, 50, 100)])
    assert loop["line"][1] == pytest.approx([100, 30e-6 * 100])


def test_graphs_are_counted(url):
    (graph,) = ask(url, "graph", network="mine")["graphs"]
    assert [(each["setting"], each["operations"]) for each in graph["settings"]] == [
        ("loop", {"MatMul": 4}),
        ("full", {"MatMul": 4}),
    ]


@pytest.mark.parametrize(
    ("route", "arguments", "said"),
    [
        (
            "gradients",
            {"run": "mine/full/train", "layer": "gru", "quantity": "h"},
            "no gradient of 'h' in a layer 'gru'",
        ),
        ("gradients", {"run": "../../etc", "layer": "lstm_1", "quantity": "h"}, "No run '../../etc'"),
        ("gradients", {}, "run: expected a name"),
        ("gradients", {"run": "a" * 3000}, "got 3000"),
        ("states", {"run": "mine/full/train", "layer": "lstm_1", "quantity": "h"}, "no state of 'h'"),
        ("cost", {"comparison": "../outside"}, "No comparison '../outside'"),
        ("graph", {"network": "/etc/passwd"}, "No network '/etc/passwd'"),
        ("overview", {"training_steps": "-1"}, "training_steps: expected a whole number from 1 to"),
        ("overview", {"training_steps": "1e3"}, "got '1e3'"),
        ("overview", {"memory_limit": "9" * 30}, "memory_limit: expected"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(url, route, arguments, said):
    code, error = refused(url, route, **arguments)
    assert code == 400
    assert said in error


@pytest.mark.parametrize(
    "path", ["static/../plugin.py", "static/%2e%2e/plugin.py", "static//etc/passwd", "static/none.js"]
)
def test_nothing_but_its_own_files_is_served(url, path):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{url}static/{path}")  # noqa: S310
    with refusal.value as response:
        assert response.code == 404


def test_plotly_comes_out_of_its_wheel(url):
    with urllib.request.urlopen(url + "plotly.min.js") as response:  # noqa: S310
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert len(response.read()) > 500_000
