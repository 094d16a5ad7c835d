"""Tables in the forms in which people have them, each against the same numbers written plainly."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression

ROWS = [[1234.5, -2.25], [3.0, 40000.0], [5.5, 6.0], [1.25, 2.5], [7.0, 1.0], [2.0, 3.5], [9.0, 4.0], [6.0, 0.5]]
PLAIN = "a,b\n" + "".join(f"{a},{b}\n" for a, b in ROWS)


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text(PLAIN)
    return open_source(f"csv:{path}", timesteps=2)


def european(number: float) -> str:
    return f"{number:,}".replace(",", " ").replace(".", ",").replace(" ", ".")


FORMS = {
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "bars": PLAIN.replace(",", "|").encode(),
    "decimal commas and points for thousands": (
        "a;b\n" + "".join(f"{european(a)};{european(b)}\n" for a, b in ROWS)
    ).encode(),
    "commas for thousands, in quotes": ("a,b\n" + "".join(f'"{a:,}","{b:,}"\n' for a, b in ROWS)).encode(),
    "blanks for thousands": ("a;b\n" + "".join(f"{a:,};{b:,}\n".replace(",", " ") for a, b in ROWS)).encode(),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "carriage returns": PLAIN.replace("\n", "\r\n").encode(),
    "comments and empty lines": ("# measured in May\n" + PLAIN.replace("3.0,", "\n  # new sensor\n3.0,")).encode(),
    "a column of text": PLAIN.replace("\n", ",north\n").encode(),
    "an empty column": PLAIN.replace("\n", ",\n").encode(),
    "no names": "".join(f"{a},{b}\n" for a, b in ROWS).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_numbers_are_the_same_however_they_are_written(tmp_path, plain, form):
    path = tmp_path / "table.csv"
    path.write_bytes(FORMS[form])
    source = open_source(f"csv:{path}", timesteps=2)
    np.testing.assert_allclose(source.x_train, plain.x_train)
    np.testing.assert_allclose(source.y_validation, plain.y_validation)


def test_compressed_and_parquet_files_are_read(tmp_path, plain):
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    pd.DataFrame(ROWS, columns=["a", "b"]).to_parquet(tmp_path / "table.parquet")
    for name in ("table.csv.gz", "table.parquet"):
        source = open_source(f"csv:{tmp_path / name}", timesteps=2)
        np.testing.assert_allclose(source.x_train, plain.x_train)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.csv.gz", b"hello", "is not a gzip file, or damaged"),
        ("broken.parquet", b"hello", "is not a Parquet file"),
        ("latin.csv", "größe\n1\n".encode("latin-1"), "is not UTF-8"),
        ("cut.csv", b"\xff\xfea", "is not UTF-16"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(f"csv:{tmp_path / name}")


def test_truth_values_are_one_and_zero(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("on,n\n" + "".join(f"{word},{n}\n" for n, word in enumerate(["true", "False", "YES", "no"] * 4)))
    source = open_source(f"csv:{path}?columns=on&target=n", timesteps=1)
    assert len(np.unique(source.x_train)) == 2
    assert source.x_train[0, 0, 0] > source.x_train[1, 0, 0]


@pytest.mark.parametrize(
    "times",
    [
        [f"2024-03-{day:02d}" for day in range(1, 9)],
        [f"{day:02d}.03.2024" for day in range(9, 17)],
        [f"2024-03-01 {hour:02d}:30:00" for hour in range(8)],
        [f"2024-03-01T{hour:02d}:00:00+02:00" for hour in range(8)],
        [f"03/{day:02d}/2024" for day in range(1, 9)],
    ],
    ids=["dates", "day first", "times of a day", "time zones", "month first"],
)
def test_rows_are_put_in_the_order_of_their_time(tmp_path, plain, times):
    rows = [f"{a},{time},{b}\n" for (a, b), time in zip(ROWS, times, strict=True)]
    rows[2], rows[5] = rows[5], rows[2]
    path = tmp_path / "table.csv"
    path.write_text("a,when,b\n" + "".join(rows))
    source = open_source(f"csv:{path}", timesteps=2)
    np.testing.assert_allclose(source.x_train, plain.x_train)
    assert "'when' is the time, not a feature" in source.describe()
    assert "rows sorted by 'when'" in source.describe()


def test_what_is_left_out_is_said(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,station,b,note\n" + "".join(f"{n},north,{n},\n" for n in range(9)))
    assert "left out: 'station' (text), 'note' (no values)" in open_source(f"csv:{path}", timesteps=1).describe()


def test_missing_cells_are_filled_when_asked_to(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('n\n0\n1\nNA\n5\n""\n9\n11\n12\n13\n')
    scaled = {}
    for fill, values in {
        "forward": [0, 1, 1, 5, 5, 9, 11, 12, 13],
        "interpolate": [0, 1, 3, 5, 7, 9, 11, 12, 13],
    }.items():
        plain = tmp_path / f"{fill}.csv"
        plain.write_text("n\n" + "".join(f"{value}\n" for value in values))
        source, expected = open_source(f"csv:{path}?fill={fill}", timesteps=2), open_source(f"csv:{plain}", timesteps=2)
        np.testing.assert_allclose(source.x_train, expected.x_train, rtol=1e-6)
        assert f"2 missing cells filled ({fill})" in source.describe()
        scaled[fill] = source.x_train
    assert not np.allclose(scaled["forward"], scaled["interpolate"])


def test_a_table_that_begins_without_a_value_cannot_be_filled(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,n\n1,NA\n2,1\n3,2\n4,5\n")
    with pytest.raises(DataError, match=re.escape("line 2, column 2 ('n'): the cell has no value; fill=forward")):
        open_source(f"csv:{path}?fill=forward", timesteps=1)


def test_a_chosen_target_lies_a_chosen_number_of_rows_ahead(tmp_path):
    values = np.arange(40.0)
    path = tmp_path / "table.csv"
    path.write_text("n,square,other\n" + "".join(f"{v},{v * v},{-v}\n" for v in values))
    source = open_source(f"csv:{path}?columns=n&target=square,other&horizon=3", timesteps=4)
    assert source.task == Regression(2)
    assert source.features == 1
    # The last fifth is for validation: 32 rows to train on.
    square = (values**2 - np.mean(values[:32] ** 2)) / np.std(values[:32] ** 2)
    n = (values - values[:32].mean()) / values[:32].std()
    assert len(source.x_train) == 32 - 4 - 3 + 1
    np.testing.assert_allclose(source.x_train[0, :, 0], n[:4], rtol=1e-5)
    np.testing.assert_allclose(source.y_train[:, 0], square[6:32], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(source.y_validation[0, 0], square[32 + 6], rtol=1e-5)
    assert "to foretell: 'square', 'other', 3 rows ahead" in source.describe()


def test_no_window_reaches_from_one_group_into_another(tmp_path):
    path = tmp_path / "table.csv"
    rows = [("a", n) for n in range(20)] + [("b", 1000 + n) for n in range(20)] + [("c", 5)]
    order = np.random.default_rng(0).permutation(len(rows))
    keyed = sorted(range(len(rows)), key=lambda row: (order[row] % 3, row))  # groups mixed, each in its own order
    path.write_text("group,n\n" + "".join(f"{rows[row][0]},{rows[row][1]}\n" for row in keyed))
    source = open_source(f"csv:{path}?group=group", timesteps=3)
    # 20 rows of each group, 16 to train on: 13 windows of 3 and the next row; 1 window in the last 4.
    assert (len(source.x_train), len(source.x_validation)) == (2 * 13, 2 * 1)
    assert np.abs(np.diff(source.x_train[:, :, 0], axis=1)).max() < 1  # a jump between groups is 2 deviations
    assert "3 groups of 'group'; 1 of them too short for a window of 4 rows, left out" in source.describe()


def test_a_group_with_a_class_is_one_sequence(tmp_path):
    path = tmp_path / "table.csv"
    lines = [
        f"{group},{'up' if group % 2 else 'down'},{t if group % 2 else -t}\n" for group in range(10) for t in range(5)
    ]
    path.write_text("id,kind,n\n" + "".join(lines))
    source = open_source(f"csv:{path}?group=id&label=kind")
    assert source.task == Classification(2)
    assert source.x_train.shape == (8, 5, 1)
    assert source.x_validation.shape == (2, 5, 1)
    for x, y in ((source.x_train, source.y_train), (source.x_validation, source.y_validation)):
        assert ((x[:, -1, 0] > x[:, 0, 0]) == (y == 1)).all()
    assert "classes: down is 0, up is 1" in source.describe()
    assert "10 groups of 'id'" in source.describe()
    shorter = open_source(f"csv:{path}?group=id&label=kind", timesteps=3)
    assert "the first 3 rows of each" in shorter.describe()


def test_the_class_of_a_window_is_that_of_its_last_row(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("n,state\n" + "".join(f"{n},{n // 2 % 3}\n" for n in range(30)))
    source = open_source(f"csv:{path}?label=state", timesteps=4)
    assert source.y_train.tolist() == [n // 2 % 3 for n in range(3, 24)]
    assert source.y_validation.tolist() == [n // 2 % 3 for n in range(27, 30)]
    assert source.features == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("traget=n", "there is no option traget. The options are columns, target, horizon, group, label, fill."),
        ("horizon=0", "horizon=0 does not fit: Input should be greater than or equal to 1."),
        ("horizon=soon", "horizon=soon does not fit"),
        ("fill=zero", "fill=zero does not fit"),
        ("columns=", "columns= does not fit"),
        ("horizon", "the options are name=value, separated by &, got '?horizon'."),
        ("target=n&target=m", "the option target comes twice. Give it once."),
        ("label=kind&horizon=2", "label=kind asks for a class, so there is no target or horizon to foretell."),
        ("target=m", "has no column 'm'. Its columns are 'n', 'kind', 'id', 'mixed'."),
        ("columns=kind", "column 'kind' holds no numbers: text in 'kind', 'mixed'."),
        (
            "group=id&label=mixed",
            "group 0 has the classes down and up in column 'mixed'; expected one class per group.",
        ),
        ("label=n&group=n", "groups of at least"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, message):
    path = tmp_path / "table.csv"
    lines = [f"{n},up,{n // 4},{'up' if n % 2 else 'down'}\n" for n in range(8)]
    path.write_text("n,kind,id,mixed\n" + "".join(lines))
    with pytest.raises(DataError, match=re.escape(message)):
        open_source(f"csv:{path}?{options}", timesteps=2)


def test_a_question_mark_in_a_files_name_is_no_option(tmp_path):
    (tmp_path / "what?.csv").write_text(PLAIN)
    assert open_source(f"csv:{tmp_path}/what?.csv", timesteps=1).name == "csv:what?.csv"
    source = open_source(f"csv:{tmp_path}/what?.csv?target=a", timesteps=1)
    assert source.name == "csv:what?.csv?target=a"
    assert source.task == Regression(1)
