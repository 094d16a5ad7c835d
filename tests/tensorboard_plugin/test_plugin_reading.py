"""What the tab makes of folders and runs, without TensorBoard."""

import numpy as np
from fixed_run import write_run

from kerasunroll.display.colours import COLOURS, setting_colours
from kerasunroll.inspection.gradients.flow import vanishing_point
from kerasunroll.tensorboard_plugin.comparisons import Comparisons
from kerasunroll.tensorboard_plugin.contents import Contents
from kerasunroll.tensorboard_plugin.events import Entry, Series, padded


class Logged:
    """Stands in for event files."""

    def __init__(self, *runs):
        self.runs = runs

    def series(self):
        about = {"shows": "gradient", "layer": "lstm", "of": "h"}
        return [Series(run, "gradient_through_time/lstm/h", about, (1, 2.0)) for run in self.runs]


def settings(contents, network):
    return list(contents.networks[network].trainings)


def test_runs_of_a_script_are_networks_in_settings():
    runs = ("a/lstm/full/train", "a/lstm/loop/train", "gru/loop/train", "train", "plain")
    contents = Contents.of(Logged(*runs), Comparisons(None))
    assert settings(contents, "a/lstm") == ["loop", "full"]
    assert settings(contents, "gru") == ["loop"]
    assert settings(contents, "this folder") == ["plain", "this run"]
    assert contents.training("a/lstm/full/train").validation == "a/lstm/full/validation"


def test_runs_of_a_comparison_are_found_wherever_the_log_folder_begins(tmp_path):
    folder = write_run(tmp_path / "logs" / "deep" / "one", timesteps=(25,))
    runs = {
        folder: "lstm-L2-U64-T25/full/train",
        folder.parent: "one/lstm-L2-U64-T25/full/train",
        tmp_path / "logs": "deep/one/lstm-L2-U64-T25/full/train",
    }
    for logdir, run in runs.items():
        contents = Contents.of(Logged(run), Comparisons(logdir))
        ((name, network),) = contents.networks.items()
        assert name.endswith("one/lstm-L2-U64-T25")
        assert list(network.trainings) == ["full"]
        assert list(network.colours) == ["loop", "k8", "full"]


def number_of_records(found):
    return sum(len(each.records) for each in found.run.measured)


def test_a_comparison_is_read_again_when_it_has_changed(tmp_path):
    folder = write_run(tmp_path / "one", timesteps=(25,))
    comparisons = Comparisons(tmp_path)
    (first,) = comparisons.all()
    assert comparisons.all()[0] is first
    assert number_of_records(first) == 6
    next((folder / "records").glob("*.json")).unlink()
    (second,) = comparisons.all()
    assert number_of_records(second) == 5


def test_damaged_records_are_told_and_left_where_they_are(tmp_path):
    folder = write_run(tmp_path / "one", timesteps=(25,))
    record = next((folder / "records").glob("*.json"))
    record.write_text("{")
    (found,) = Comparisons(tmp_path).all()
    assert [each.path for each in found.run.damaged] == [record]
    assert record.exists()


def test_links_out_of_the_log_folder_are_not_followed(tmp_path):
    outside = write_run(tmp_path / "outside", timesteps=(25,))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "link").symlink_to(outside)
    assert not Comparisons(tmp_path / "logs").any()


def test_the_point_of_vanishing():
    norms = np.array([1e-9, 1e-8, 1e-5, 1e-2, 1.0, 0.0])
    nowhere = np.zeros(6)
    assert vanishing_point(norms, nowhere) == 1  # t = 5 has none: the way back begins at t = 4
    assert vanishing_point(norms[::-1], nowhere, go_backwards=True) == 4
    assert vanishing_point(norms[2:5], nowhere[:3]) is None
    assert vanishing_point(np.zeros(4), np.zeros(4)) is None
    masked = np.array([0, 1.0, 0, 0, 0, 0])
    assert vanishing_point(np.where(masked == 1, np.nan, norms), masked) == 0


def test_shorter_batches_end_in_nothing():
    table = padded([Entry(1, 0.0, np.ones(3)), Entry(2, 0.0, np.ones(2))])
    assert table.shape == (2, 3)
    assert np.isnan(table[1, 2])


def test_a_setting_keeps_its_colour():
    assert setting_colours(["full", "k8", "loop"])["full"] == setting_colours(["loop", "full"])["full"] == COLOURS[1]
    many = setting_colours(["loop", *(f"k{k}" for k in range(2, 9)), "full"])
    assert len(set(many.values())) == len(many)
