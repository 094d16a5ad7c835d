"""What a comparison leaves for TensorBoard, as TensorBoard's own plugins read it."""

import contextlib
import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from fixed_run import STEP, write_run

from kerasunroll.cli import main
from kerasunroll.data import open_source
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.report.run import Run, planned_training_steps
from kerasunroll.report.tensorboard import write_tensorboard
from kerasunroll.report.tensorboard.hparams import varied_values
from kerasunroll.report.tensorboard.verdict import plain
from kerasunroll.report.verdict.costs import break_even
from kerasunroll.report.verdict.verdict import verdicts
from kerasunroll.training.threads import Threads

# TensorBoard's own copy of bleach warns when it is loaded.
pytestmark = pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")

GROUP = "lstm-L2-U64-T64"


def written(folder: Path, **options) -> Run:
    run = Run.load(write_run(folder, **options))
    write(run)
    return run


def write(run: Run) -> None:
    found = verdicts(run.rows, training_steps=planned_training_steps(run.plan))
    write_tensorboard(run.rows, run.measured, found, run.folder)


class Board:
    """The part of TensorBoard that answers its pages."""

    def __init__(self, logdir: Path) -> None:
        from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
        from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
        from tensorboard.context import RequestContext
        from tensorboard.plugins.base_plugin import TBContext

        runs = EventMultiplexer(tensor_size_guidance={"scalars": 0}).AddRunsFromDirectory(str(logdir))
        runs.Reload()
        self.request = RequestContext()
        self.context = TBContext(data_provider=MultiplexerDataProvider(runs, str(logdir)), logdir=str(logdir))

    @property
    def scalar_tags(self) -> set[str]:
        found = self.context.data_provider.list_scalars(self.request, experiment_id="", plugin_name="scalars")
        return set(chain.from_iterable(found.values()))

    @property
    def layout(self) -> dict[str, list[dict]]:
        """The charts of each category of Custom Scalars."""
        from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin

        layout = CustomScalarsPlugin(self.context).layout_impl(self.request, "")
        return {category["title"]: category["chart"] for category in json.loads(layout)["category"]}

    @property
    def hparams(self) -> dict[str, dict[str, object]]:
        """The lines of the table in HParams by their names: hyperparameters, and metrics by their titles."""
        from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
        from tensorboard.plugins.hparams.backend_context import Context

        context = Context(self.context)
        experiment = get_experiment.Handler(self.request, context, "", api_pb2.GetExperimentRequest()).run()
        titles = {metric.name.tag: metric.display_name for metric in experiment.metric_infos}
        self.shown = [info.name for info in experiment.hparam_infos][:5] + list(titles.values())[:5]
        columns = [api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos]
        columns += [api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos]
        everything = api_pb2.ListSessionGroupsRequest(
            allowed_statuses=[api_pb2.STATUS_UNKNOWN], col_params=columns, slice_size=1000
        )
        answer = list_session_groups.Handler(self.request, context, "", everything).run()
        return {
            group.name: {name: value.string_value or value.number_value for name, value in group.hparams.items()}
            | {titles[metric.name.tag]: metric.value for metric in group.metric_values}
            for group in answer.session_groups
        }


def patterns(chart: dict) -> list[str]:
    if "multiline" in chart:
        return chart["multiline"]["tag"]
    return [re.escape(tag) + "$" for series in chart["margin"]["series"] for tag in series.values()]


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    """The folder of a comparison that was trained, and of one over three T that was not."""
    folder = tmp_path_factory.mktemp("logs")
    written(folder / "compare")
    written(folder / "measure", timesteps=(25, 50, 100), follow_up="memory")
    return folder


def test_every_chart_has_curves(logs):
    board = Board(logs / "measure")
    layout = board.layout
    assert list(layout) == ["Time"]
    wanted = list(chain.from_iterable(patterns(chart) for charts in layout.values() for chart in charts))
    assert [pattern for pattern in wanted if not any(re.match(pattern, tag) for tag in board.scalar_tags)] == []


def test_the_layout_is_the_same_once_the_settings_were_trained(logs):
    trained, both = Board(logs / "compare").layout, Board(logs).layout
    assert list(trained) == ["Time", "Gradients", "Loss"]
    # TensorBoard merges the layouts of all comparisons: none of the charts is there twice.
    assert list(both) == ["Time", "Gradients", "Loss"]
    for charts in both.values():
        titles = [chart["title"] for chart in charts]
        assert len(titles) == len(set(titles))


def test_hparams_tells_of_each_variant_what_it_is_and_costs(logs):
    board = Board(logs / "compare")
    loop = board.hparams[f"compare/{GROUP}/loop"]
    assert loop == {
        "cell": "lstm",
        "setting": "loop",
        "T": "    64",
        "units": "64,64",
        "batch": "    32",
        "training step (ms)": pytest.approx(STEP["loop"] * 64 * 1000, rel=0.01),
        "compile (s)": pytest.approx(0.1 + 0.8 + 0.6),
        "process added (MB)": pytest.approx(60 + 0.2 * 64),
        "tensor peak (MB)": pytest.approx(0.06 * 64 * 2 + 0.9),
        "final loss": pytest.approx(0.5),
    }
    # Without being asked, TensorBoard shows five columns of each kind: those that differ first.
    assert board.shown == [
        *("setting", "T", "batch", "cell", "units"),
        *("training step (ms)", "compile (s)", "process added (MB)", "tensor peak (MB)", "final loss"),
    ]
    full = board.hparams[f"compare/{GROUP}/full"]
    assert full["training step (ms)"] / loop["training step (ms)"] == pytest.approx(2 / 3, rel=0.01)


def test_hparams_lays_several_comparisons_into_one_table(logs):
    lines = Board(logs).hparams
    assert len(lines) == 3 + 3 * 3
    assert "final loss" not in lines["measure/lstm-L2-U64-T50/k8"]
    assert [line["compile (s)"] for line in lines.values() if line["setting"] == "loop"] == [pytest.approx(1.5)] * 4


def test_whole_numbers_are_texts_in_the_order_of_the_numbers(logs):
    """A number would be shown as 25.000; a page does not show the blanks."""
    lengths = sorted({line["T"] for line in Board(logs).hparams.values()})
    assert [length.strip() for length in lengths] == ["25", "50", "64", "100"]


def test_what_varies_besides_has_a_column(tmp_path):
    run = Run.load(write_run(tmp_path / "run", settings=("loop", "full")))
    faster = [row.config.model_copy(update={"jit_compile": row.setting == "full"}) for row in run.rows]
    rows = [replace(row, config=config) for row, config in zip(run.rows, faster, strict=True)]
    write_tensorboard(rows, run.measured, verdicts(rows), run.folder)
    board = Board(run.folder)
    assert {line["setting"]: line["XLA"] for line in board.hparams.values()} == {"loop": "off", "full": "on"}
    assert "XLA" in board.shown


def test_threads_have_a_column_beside_the_setting(tmp_path):
    run = Run.load(write_run(tmp_path / "run", settings=("loop", "full")))
    on_one = [
        replace(row, config=row.config.model_copy(update={"threads": Threads(1)}), setting=f"{row.setting}-threads1")
        for row in run.rows
    ]
    assert varied_values([*run.rows, *on_one])["threads"] == ["default", "1"]
    assert varied_values([*run.rows, *on_one])["setting"] == ["loop", "full"]
    assert "threads" not in varied_values(run.rows)


def test_the_curves_cross_where_the_longer_compile_has_paid(logs, events):
    run = Run.load(logs / "compare")
    (verdict,) = verdicts(run.rows, training_steps=planned_training_steps(run.plan))
    expected = break_even(verdict.cost("full"), verdict.cost("loop")).value
    tag = "comparison/time_in_all_s"
    loop, full = (events(logs / "compare" / GROUP / setting / "train").scalars(tag) for setting in ("loop", "full"))
    ahead = [step for step in loop if full[step] < loop[step]]
    behind = [step for step in loop if full[step] > loop[step]]
    assert behind
    assert ahead
    assert max(behind) <= expected <= min(ahead)
    train = events(logs / "compare" / GROUP / "full" / "train")
    low, high = (train.scalars(tag + end)[max(full)] for end in ("_low", "_high"))
    assert low < full[max(full)] < high


def test_rounds_show_the_ratio_free_of_the_drift(logs, events):
    full = events(logs / "compare" / GROUP / "full" / "train")
    ratios = full.scalars("comparison/by_round/ratio")
    assert list(ratios) == list(range(1, 21))
    assert list(ratios.values()) == pytest.approx([2 / 3] * 20, rel=0.01)
    step_ms = full.scalars("comparison/by_round/step_ms")
    assert step_ms[20] / step_ms[1] == pytest.approx(1.1, rel=0.01)
    loop = events(logs / "compare" / GROUP / "loop" / "train")
    assert set(loop.scalars("comparison/by_round/ratio").values()) == {1.0}


def test_the_text_says_which_setting_to_take(logs, events):
    from tensorboard.plugin_util import markdowns_to_safe_html

    run = Run.load(logs / "measure")
    found = verdicts(run.rows, training_steps=planned_training_steps(run.plan))
    taken = {"loop": "the loop", "k8": "k8", "full": "full"}
    shown = markdowns_to_safe_html([events(logs / "measure").text("comparison/verdict")], "".join)
    lines = [html.unescape(line) for line in re.findall(r"<li>([^<]*)</li>", shown)]
    assert lines == [f"{verdict.group}: Take {taken[verdict.take]}." for verdict in found]
    assert len(lines) == 3


def test_a_variant_has_one_run_beside_that_of_the_comparison(logs):
    runs = {str(file.parent.relative_to(logs)) for file in logs.rglob("*tfevents*")}
    variants = {(f"compare/{GROUP}", setting) for setting in STEP}
    variants |= {(f"measure/lstm-L2-U64-T{t}", setting) for t in (25, 50, 100) for setting in STEP}
    assert runs == {"compare", "measure"} | {f"{group}/{setting}/train" for group, setting in variants}


def test_what_a_setting_costs_is_one_number(logs, events):
    train = events(logs / "measure" / "lstm-L2-U64-T50" / "full" / "train")
    assert train.scalars("comparison/compile_s") == {0: pytest.approx(1.5 + (0.002 + 0.08 + 0.06) * 50)}


@pytest.mark.parametrize("text", ["<script>x</script> & a*b_c*", r"C:\new\_x `a` [b](c) #1 | {d}", "&lt; ~ $"])
def test_a_name_is_shown_as_it_is(text):
    from tensorboard.plugin_util import markdown_to_safe_html

    shown = markdown_to_safe_html(f"- {plain(text)}: x")
    assert f"{text}: x" in html.unescape(re.sub("<[^>]*>", "", shown))


def test_a_second_time_nothing_is_there_twice(tmp_path, events):
    run = written(tmp_path / "run", settings=("loop", "full"), missing=[(64, "full")])
    other = run.folder / GROUP / "loop" / "train" / "events.out.tfevents.0000000001.somebody"
    other.write_bytes(b"")
    write(written(tmp_path / "run", settings=("loop", "full")))
    files = [file for file in run.folder.rglob("*tfevents*") if file != other]
    assert len(files) == len({file.parent for file in files}) == 3
    assert other.exists()
    assert Board(run.folder).hparams.keys() == {f"run/{GROUP}/loop", f"run/{GROUP}/full"}
    assert events(run.folder / GROUP / "full" / "train").scalars("comparison/step_ms")  # refuses two values at one step


def test_what_failed_has_no_numbers(tmp_path):
    run = written(tmp_path / "run", settings=("loop", "full", "k8"), failed=[(64, "full")], missing=[(64, "k8")])
    assert run.rows[1].outcome == f"timing: {Outcome.TIMEOUT}"
    lines = Board(run.folder).hparams
    assert "compile (s)" in lines[f"run/{GROUP}/loop"]
    for setting in ("full", "k8"):
        assert set(lines[f"run/{GROUP}/{setting}"]) == {"cell", "setting", "T", "units", "batch"}


def test_one_setting_alone_has_its_curves_too(tmp_path):
    run = written(tmp_path / "run", settings=("full",), follow_up="memory")
    board = Board(run.folder)
    assert board.hparams[f"run/{GROUP}/full"]["training step (ms)"] == pytest.approx(STEP["full"] * 64e3, rel=0.01)


def test_tensorflow_is_not_loaded(tmp_path):
    write_run(tmp_path / "run")
    program = (
        "import sys; from pathlib import Path; from kerasunroll.report.run import Run\n"
        "from kerasunroll.report.tensorboard import write_tensorboard\n"
        "from kerasunroll.report.verdict.verdict import verdicts\n"
        "run = Run.load(Path(sys.argv[1]))\n"
        "write_tensorboard(run.rows, run.measured, verdicts(run.rows), run.folder)\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_compare_and_its_resumption_write_all_that_once(tmp_path, capsys):
    data = open_source("digits", timesteps=64).describe()
    folder = write_run(tmp_path / "run", settings=("loop", "full"), data=data)
    for _ in range(2):
        with contextlib.suppress(SystemExit):  # all of it has been measured: nothing is left but to tell
            main(["compare", "--resume", str(folder), "--mix-environments"])
        assert capsys.readouterr().out.splitlines()[-1] == f"To look inside: tensorboard --logdir {folder}"
    assert Board(folder).hparams.keys() == {f"run/{GROUP}/loop", f"run/{GROUP}/full"}
    assert len(list(folder.rglob("*tfevents*"))) == 3
