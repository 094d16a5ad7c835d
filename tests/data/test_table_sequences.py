"""Which rows follow one another, what is forecast from them, and which class they are of."""

import re

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression


@pytest.fixture
def write(tmp_path):
    def write(header, rows):
        path = tmp_path / "table.csv"
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in [header.split(","), *rows]))
        return path

    return write


def standardised(values, training):
    training = np.array(training, float)
    return (np.array(values, float) - training.mean(axis=0)) / training.std(axis=0)


def test_the_target_columns_of_the_next_rows_are_forecast(write):
    rows = [(n, n * n, -n) for n in range(20)]
    source = open_source(f"csv:{write('a,b,c', rows)}?columns=a,c&target=b,a&horizon=3", timesteps=4)
    # A fifth of 20 rows is 4, but one window needs 7, so that 13 rows are left for training.
    scaled = standardised(rows, rows[:13])
    assert source.task == Regression(6)
    assert len(source.x_train) == 13 - 4 - 3 + 1
    np.testing.assert_allclose(source.x_train[2], scaled[2:6][:, [0, 2]], rtol=1e-5)
    np.testing.assert_allclose(source.y_train[2], scaled[6:9][:, [1, 0]].ravel(), rtol=1e-5)
    np.testing.assert_allclose(source.x_validation, [scaled[13:17][:, [0, 2]]], rtol=1e-5)
    np.testing.assert_allclose(source.y_validation, [scaled[17:][:, [1, 0]].ravel()], rtol=1e-5)
    assert source.notes[:2] == ("not read, only foretold: b", "forecast of b, a in the next 3 rows")


def test_a_target_is_read_as_well_unless_columns_say_otherwise(write):
    path = write("a,b", [(n, n * n) for n in range(20)])
    source = open_source(f"csv:{path}?target=b", timesteps=2)
    assert (source.features, source.task) == (2, Regression(1))


def test_windows_never_cross_groups_and_each_group_is_divided_in_time(write):
    # The rows of the groups alternate in the file. A value tells its group and its place: 100, 101, ... and 200, ...
    groups = {"x": 10, "y": 6, "short": 3, "tiny": 2}
    rows = [
        (name, 100 * (number + 1) + n)
        for n in range(10)
        for number, (name, length) in enumerate(groups.items())
        if n < length
    ]
    source = open_source(f"csv:{write('g,v', rows)}?group=g", timesteps=2)
    # x: 7 for training, 3 for validation. y: 3 and 3. short: all 3 rows for training. tiny: left out.
    training = [*range(100, 107), *range(200, 203), *range(300, 303)]
    mean, deviation = np.mean(training), np.std(training)

    def raw(scaled):
        return np.rint(scaled * deviation + mean).astype(int).squeeze(-1).tolist()

    assert raw(source.x_train) == [[n, n + 1] for n in (100, 101, 102, 103, 104, 200, 300)]
    assert raw(source.y_train) == [102, 103, 104, 105, 106, 202, 302]
    assert raw(source.x_validation) == [[107, 108], [203, 204]]
    assert raw(source.y_validation) == [109, 205]
    assert source.describe() == (
        "csv:table.csv?group=g: 7 training and 2 validation sequences, T=2, F=1, 1 output; 3 sequences by g, the "
        "end of each for validation; left out: 1 sequence of less than 3 rows; standardised by the mean and the "
        "deviation of the training part"
    )


TIMES = {
    "days": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-02-01", "2024-02-02", "2025-01-01"],
    "time zones": [
        *("2024-03-31T00:30:00+01:00", "2024-03-31T01:30:00+01:00", "2024-03-31T03:30:00+02:00"),
        *("2024-03-31T01:45:00Z", "2024-03-31T04:30:00+02:00", "2024-03-31T04:40:00+02:00"),
    ],
    "day first": [
        *("30.01.2024 9:05", "30.01.2024 10:05", "31.01.2024 0:00"),
        *("01.02.2024 0:00", "02.02.2024 0:00", "01.03.2024 0:00"),
    ],
    "month first": ["01/30/2024", "01/31/2024", "02/01/2024", "02/02/2024", "03/01/2024", "01/01/2025"],
    "month's name": ["9 Jan 2024", "10 Jan 2024", "1 Feb 2024", "2 Feb 2024", "3 Feb 2024", "1 Mar 2024"],
    "noon": [f"2/20/2024 {hour}" for hour in ("9:00 AM", "10:00 AM", "12:00 PM", "1:00 PM", "2:00 PM", "10:00 PM")],
    "seconds since 1970": [1700000000 + n * 60 for n in range(6)],
    "milliseconds since 1970": [1700000000000 + n for n in range(6)],
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_rows_are_sorted_by_time_and_time_is_no_feature(write, times):
    rows = [(time, n) for n, time in enumerate(times)]
    name = "unix_ts"
    expected = standardised(range(6), range(4))
    for order, note in (([0, 1, 2, 3, 4, 5], "in the order of unix_ts"), ([5, 2, 0, 1, 4, 3], "sorted by unix_ts")):
        path = write(f"{name},v", [rows[place] for place in order])
        source = open_source(f"csv:{path}", timesteps=1)
        assert source.features == 1
        np.testing.assert_allclose(source.x_train.ravel(), expected[:3], rtol=1e-6)
        np.testing.assert_allclose(source.y_validation.ravel(), expected[5:], rtol=1e-6)
        assert source.notes[0] == f"{note}, which is not read"


def test_dates_and_times_of_day_in_two_columns_are_one_time(write):
    rows = [("31/01/2024", "23:59:00", 0), ("01/02/2024", "00:10:00", 1), ("01/02/2024", "09:00:00", 2)]
    rows += [("01/02/2024", "10:00:00", 3)]
    path = write("Date,Time,v", [rows[place] for place in (3, 1, 2, 0)])
    source = open_source(f"csv:{path}", timesteps=1)
    np.testing.assert_allclose(source.y_train, [standardised([1], [0, 1])])
    assert source.notes[0] == "sorted by Date, which is not read"


def test_each_group_is_sorted_by_itself(write):
    rows = [(time, group, 10 * group + time) for group in (1, 2) for time in (3, 0, 1, 2)]
    source = open_source(f"csv:{write('time,g,v', rows)}?group=g", timesteps=1)
    expected = standardised([10, 20, 11, 21, 12, 22, 13, 23], [10, 11, 20, 21])
    found = [source.x_train, source.y_train, source.x_validation, source.y_validation]
    np.testing.assert_allclose(np.concatenate([part.ravel() for part in found]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("header", "rows", "options", "message"),
    [
        (
            "time,v",
            [(n % 5, n) for n in range(10)],
            "",
            "line 7, column 1 ('time'): the time goes back, and some times occur more than once. If the file holds",
        ),
        (
            "day,v",
            [("02/03/2024", 1), ("01/04/2024", 2), ("03/02/2024", 3), ("01/01/2024", 4)],
            "",
            "column 1 ('day'): dates such as '02/03/2024' can be day or month first",
        ),
        (
            "day,v",
            [("2024-01-02", 1), ("", 2), ("2024-01-03", 3)],
            "",
            "line 3, column 1 ('day'): the cell is empty, so",
        ),
        (
            "day,v",
            [("31.01.2024", 1), ("01.02.2024", 2), ("Monday", 3)],
            "",
            "line 4, column 1 ('day'): expected a time, got 'Monday', so that the row has no place in time. Mend",
        ),
        ("a,v", [("x", 1), ("y", 2)], "?time=a", "column 1 ('a'): time= names it, but its cells are neither dates nor"),
        ("a,v", [(1, 1), (2, 2)], "?target=b", "has no column 'b', which target= names. Its columns: a, v."),
        ("a,a", [(1, 1), (2, 2)], "?group=a", "has more than one column 'a', which group= names: columns 1 and 2."),
        ("a,v", [("", 1), (2, 2)], "?group=a", "line 2, column 1 ('a'): the cell is empty, but group= needs a group"),
        ("a,v", [(1, "x"), (2, "y")], "?target=v", "line 2, column 2 ('v'): expected a number, got 'x'. Mend"),
        ("a,v", [(1, "2024-01-01")] * 3, "?columns=v", "column 2 ('v'): its cells are dates or times, which"),
        ("a,v", [(1, ""), (2, "")], "?columns=v", "column 2 ('v'): all its cells are empty. Leave"),
        (
            "a,v",
            [(n, n) for n in range(20)],
            "?horizon=24",
            "has 20 rows of numbers, but one training and one validation window of timesteps + horizon (24) = 25 need",
        ),
        (
            "g,v",
            [(n % 3, n) for n in range(9)],
            "?group=g",
            "has 3 rows in its longest sequence by g, but one training",
        ),
    ],
)
def test_a_table_whose_rows_cannot_be_used_is_refused(write, header, rows, options, message):
    path = write(header, rows)
    with pytest.raises(DataError, match=re.escape(f"'{path}'") + ",? " + re.escape(message)):
        open_source(f"csv:{path}{options}", timesteps=1)


@pytest.mark.parametrize("options", ["?columns=g&group=g", "?target=g&group=g", "?group=g&label=g", "?columns=v,v"])
def test_a_column_does_one_thing(write, options):
    path = write("g,v", [(n % 3, n) for n in range(9)])
    with pytest.raises(DataError, match=r"names? '?.*(already|twice|two columns)"):
        open_source(f"csv:{path}{options}", timesteps=1)


def test_time_none_keeps_the_order_of_the_file(write):
    path = write("day,v", [(f"2024-01-{9 - n:02}", n) for n in range(6)])
    source = open_source(f"csv:{path}?time=none", timesteps=1)
    np.testing.assert_allclose(source.x_train.ravel(), standardised(range(3), range(4)))
    assert source.notes[0] == "left out: day (dates)"


def test_missing_cells_are_filled_without_looking_across_the_cut(write):
    # 10 rows with T=1: 2 for validation. The last training value is missing, and so is the first for validation.
    values = ["", 0, "", 4, 4, 4, 4, "", "", 8]
    path = write("v", [(value,) for value in values])
    forward = open_source(f"csv:{path}?fill=forward", timesteps=1)
    between = open_source(f"csv:{path}?fill=interpolate", timesteps=1)
    # The first row is left out; of the other 9, 2 are for validation.
    for source, filled in (
        (forward, [0, 0, 4, 4, 4, 4, 4, 4, 8]),
        (between, [0, 2, 4, 4, 4, 4, 4, 16 / 3 + 4 / 3, 8]),
    ):
        scaled = standardised(filled, filled[:7])
        np.testing.assert_allclose(source.x_train.ravel(), scaled[:6], rtol=1e-5)
        np.testing.assert_allclose(source.y_train.ravel(), scaled[1:7], rtol=1e-5)
        np.testing.assert_allclose(source.x_validation.ravel(), scaled[7:8], rtol=1e-5)
        np.testing.assert_allclose(source.y_validation.ravel(), scaled[8:], rtol=1e-5)
    assert forward.notes[:2] == ("3 missing cells filled forward", "left out: 1 row before the first values")


def test_cells_of_columns_that_are_not_used_may_be_missing_or_wrong(write):
    path = write("a,b,c", [(n, "" if n == 3 else n, "x" if n == 4 else n) for n in range(10)])
    assert open_source(f"csv:{path}?columns=a", timesteps=1).features == 1


def test_groups_are_classified_as_a_whole(write):
    rows = [(g, n, g + n / 10, "walk" if g % 2 else "run") for g in range(10) for n in range(3 + g % 2)]
    path = write("g,time,v,act", rows)
    source = open_source(f"csv:{path}?group=g&label=act", seed=5)
    assert source.task == Classification(2)
    # Five groups of each class, of which one is for validation.
    assert (source.x_train.shape, source.x_validation.shape) == ((8, 3, 1), (2, 3, 1))
    assert sorted(source.y_validation.tolist()) == [0, 1]
    training_groups = recovered_groups(source, range(10))
    assert len(training_groups) == 8
    assert [g % 2 for g in training_groups] == source.y_train.tolist()
    assert (
        "classes of act: 0 = run, 1 = walk; 10 sequences by g, of 3 to 4 rows, cut into runs of 3" in source.describe()
    )
    again = open_source(f"csv:{path}?group=g&label=act", seed=5)
    assert again.x_validation.tolist() == source.x_validation.tolist()


def recovered_groups(source, groups):
    """The groups of the training sequences, found by trying which training part gives these figures."""
    from itertools import product

    evens, odds = [g for g in groups if g % 2 == 0], [g for g in groups if g % 2]
    for left_out in product(evens, odds):
        rest = [g for g in groups if g not in left_out]
        values = np.array([[g + n / 10 for n in range(3)] for g in rest])
        if np.allclose(source.x_train[..., 0], (values - values.mean()) / values.std(), atol=1e-5):
            return rest
    raise AssertionError("no choice of training groups gives these figures")


def test_long_groups_are_cut_into_runs_that_stay_in_one_part(write):
    rows = [(g, 100 * g + n, g % 2) for g in range(6) for n in range(9 if g else 2)]
    source = open_source(f"csv:{write('g,v,c', rows)}?group=g&label=c", timesteps=4)
    # Group 0 is too short. Of the others two runs of 4 each; groups 2, 4 and 1, 3, 5: one of each class for validation.
    assert (source.x_train.shape, source.x_validation.shape) == ((6, 4, 1), (4, 4, 1))
    steps = np.diff(source.x_train[:, :, 0], axis=1)
    np.testing.assert_allclose(steps, steps[0, 0], rtol=1e-4)  # rows that follow one another, in every run
    assert "left out: 1 sequence of less than 4 rows" in source.describe()


def test_without_groups_every_row_is_a_sequence(write):
    rows = [("abc"[n % 3], n, n + 1, n + 2, n + 3) for n in range(15)]
    source = open_source(f"csv:{write('kind,t0,t1,t2,t3', rows)}?label=kind")
    assert source.task == Classification(3)
    assert (source.x_train.shape, source.x_validation.shape) == ((12, 4, 1), (3, 4, 1))
    assert sorted(source.y_validation.tolist()) == [0, 1, 2]
    # All cells count as one column: the steps within a row are alike.
    assert abs(source.x_train.mean()) < 1e-6
    assert abs(source.x_train.std() - 1) < 1e-6


@pytest.mark.parametrize(
    ("header", "rows", "options", "timesteps", "message"),
    [
        (
            "g,v,c",
            [(1, 1, "a"), (1, 2, "b"), (2, 1, "a")],
            "?group=g&label=c",
            None,
            "line 3, column 3 ('c'): expected 'a' as in the other rows of group '1', got 'b'. A sequence has one class",
        ),
        ("v,c", [(1, "a"), (2, "")], "?label=c", None, "line 3, column 2 ('c'): the cell is empty, but label= needs a"),
        ("v,c", [(1, "a"), (2, "a")], "?label=c", None, "column 2 ('c'): one class only; label= needs at least 2"),
        ("v,c", [(1, "a"), (2, "b")], "?label=c", None, "has one sequence of each class, but training and validation"),
        ("v,c", [(1, "a"), (2, "b")], "?label=c", 3, "without group=, every row is a sequence and its columns are"),
        (
            "g,v,c",
            [(1, 1, 0), (2, 1, 1)],
            "?group=g&label=c",
            3,
            "its longest sequence by g has a length of 1, got timesteps=3",
        ),
    ],
)
def test_classes_that_cannot_be_used_are_refused(write, header, rows, options, timesteps, message):
    path = write(header, rows)
    with pytest.raises(DataError, match=re.escape(f"'{path}'") + "[,:]? " + re.escape(message)):
        open_source(f"csv:{path}{options}", timesteps=timesteps)
