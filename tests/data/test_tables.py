import re

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Regression


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


def csv(rows, header=""):
    return header + "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_windows_and_next_rows_are_standardised_by_the_training_rows(write):
    rows = [[1, 10], [3, 30], [2, 50], [4, 10], [6, 20], [8, 60], [0, 0], [7, 70], [9, 40], [5, 5]]
    path = write(csv(rows, header="a,b\n"))
    source = open_source(f"csv:{path}", timesteps=2)
    # 10 rows: 2 are a fifth, but a window of 2 rows and the next one need 3, so 7 rows are left for training.
    columns = []
    for column in zip(*rows, strict=True):
        training = column[:7]
        mean = sum(training) / 7
        deviation = (sum((value - mean) ** 2 for value in training) / 7) ** 0.5
        columns.append([(value - mean) / deviation for value in column])
    scaled = np.array(columns).T
    assert source.x_train.dtype == source.y_train.dtype == np.float32
    np.testing.assert_allclose(source.x_train, [scaled[start : start + 2] for start in range(5)], rtol=1e-6)
    np.testing.assert_allclose(source.y_train, scaled[2:7], rtol=1e-6)
    np.testing.assert_allclose(source.x_validation, [scaled[7:9]], rtol=1e-6)
    np.testing.assert_allclose(source.y_validation, scaled[9:], rtol=1e-6)


def test_the_last_fifth_of_the_rows_is_for_validation(write):
    source = open_source(f"csv:{write(csv([[row] for row in range(100)]))}", timesteps=5)
    assert (len(source.x_train), len(source.x_validation)) == (80 - 5, 20 - 5)
    # The rows grow, so nothing seen in training may reach what is seen in validation.
    assert max(source.x_train.max(), source.y_train.max()) < source.x_validation.min()


def test_it_says_its_shapes(write):
    source = open_source(f"csv:{write(csv([[row, -row, row % 7] for row in range(200)]))}")
    assert source.describe() == (
        "csv:table.csv: 128 training and 8 validation sequences, T=32, F=3, 3 outputs; "
        "standardised by the mean and the deviation of the training part"
    )
    assert source.task == Regression(3)
    assert source.vocabulary is None
    assert not source.return_sequences


@pytest.mark.parametrize(
    "text",
    [
        "temp,wind\n1,2\n3,4\n5,6\n7,9\n",
        "1,2\n3,4\n5,6\n7,9\n",
        '\ufeff"temp","wind"\r\n1, 2\r\n"3",4.0\r\n5,6e0\r\n+7,9',
        "temp,\n1,2\n3,4\n5,6\n7,9\n\n\n",
    ],
    ids=["header", "no header", "quotes, carriage returns, byte order mark", "empty lines at the end"],
)
def test_a_header_and_the_ways_to_write_a_number_make_no_difference(write, text):
    source = open_source(f"csv:{write(text)}", timesteps=1)
    # Training rows 1,2 and 3,4: both columns have a deviation of 1.
    assert source.x_train.tolist() == [[[-1, -1]]]
    assert source.y_train.tolist() == [[1, 1]]
    assert source.x_validation.tolist() == [[[3, 3]]]
    assert source.y_validation.tolist() == [[5, 6]]


@pytest.mark.parametrize("constant", [0.1, 1e9, -3])
def test_a_constant_column_becomes_zero(write, constant):
    source = open_source(f"csv:{write(csv([[row, constant] for row in range(30)]))}", timesteps=3)
    np.testing.assert_allclose(source.x_train[:, :, 1], 0, atol=1e-12)
    np.testing.assert_allclose(source.x_validation[:, :, 1], 0, atol=1e-12)


NUMBERS = "1,2\n3,4\n5,6\n7,8\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,temp\n1,2\n2,3\nMonday,4\n", "line 4, column 1 ('day'): expected a number, got 'Monday'"),
        (f"{NUMBERS}9,x\n", "line 5, column 2: expected a number, got 'x'"),
        ("a,b\n1,1\n1,12_5\n", "line 3, column 2 ('b'): expected a number, got '12_5'"),
        ("a;b\n1,5;1\n1,5;2.5\n", "line 3, column 2 ('b'): expected a number, got '2.5'"),
        (f"{NUMBERS}9,{'y' * 99}\n", f"line 5, column 2: expected a number, got '{'y' * 40}...'. Mend"),
        (f"# a\na,b\n{NUMBERS}\n# b\n9,x\n", "line 9, column 2 ('b'): expected a number, got 'x'"),
        (f"a,b\n{NUMBERS}9,\n", "line 6, column 2 ('b'): the cell is empty. Fill it"),
        (f"a,b\n{NUMBERS},1\nNA,1\n", "line 6, column 1 ('a'): the first of 2 missing cells. Fill them with fill="),
        (f"{NUMBERS}   ,1\n", "line 5, column 1: the cell is empty. Fill it"),
        ("1\n2\n\n4\n", "line 3, column 1: the cell is empty. Fill it"),
        (f"{NUMBERS}-inf,1\n", "line 5, column 1: -inf is not finite"),
        (f"{NUMBERS}1,1e999\n", "line 5, column 2: 1e999 is not finite"),
        (f"{NUMBERS}9\n", "line 5: expected 2 cells as in line 1, got 1. Give every line the same"),
        (f"a,b\n{NUMBERS}9,9,9\n", "line 6: expected 2 cells as in line 1, got 3"),
        ("a,b\n1,2,3\n", "line 2: expected 2 cells as in line 1, got 3"),
        ('"two\nlines",b\n1,1\n2,x\n', "line 4, column 2 ('b'): expected a number, got 'x'"),
        (f'{NUMBERS}"9,9\n', "line 5: not valid CSV: unexpected end of data"),
        ("a,b\n", "has a header (line 1) but no rows of numbers beneath it"),
        ("a,b\nx,y\n", "has no column of numbers for the network to read (left out: a (text), b (text))"),
        ("\n\n", "has no rows: all its lines are empty"),
        ("# only\n# words\n", "has no rows: all its lines are empty or comments"),
        ("a;b\n1;1,000\n2;2,000\n", "'1,000' can be 1 or 1,000 (a comma between thousands). Say which, with decimal="),
        ("a\0b\n1\0\n", "holds zero characters, so that it is no text in utf-8"),
        ("PK\x03\x04", "is an Excel workbook or a zip archive. Save the sheet as CSV"),
        ("PAR1 and no more", "cannot be read as Parquet"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_file_and_the_line(write, text, message):
    path = write(text)
    with pytest.raises(DataError, match=re.escape(f"'{path}'") + "[,:]? " + re.escape(message)):
        open_source(f"csv:{path}", timesteps=1)


def test_values_beyond_what_can_be_standardised_are_refused(write):
    path = write(csv([[row, (-1) ** row * 1e300] for row in range(10)]))
    with pytest.raises(DataError, match=re.escape(f"'{path}', column 2: its values are too large")):
        open_source(f"csv:{path}", timesteps=1)


def test_two_windows_are_the_least(write):
    path = write(csv([[row] for row in range(7)]))
    expected = (
        f"'{path}' has 7 rows of numbers, but one training and one validation window of "
        "timesteps + 1 = 4 need 8. Add rows or take fewer timesteps."
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        open_source(f"csv:{path}", timesteps=3)
    source = open_source(f"csv:{write(csv([[row] for row in range(8)]))}", timesteps=3)
    assert len(source.x_train) == len(source.x_validation) == 1
