"""Files as people have them: one small table, written in many ways."""

import bz2
import gzip
import lzma
import re
import sys

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError

ROWS = [(1, 1000.5), (3, 2000.5), (5, 2500.5), (7, 4000.5)]
# Of the training rows, the first two, the means are 2 and 1500.5 and the deviations 1 and 500.
SCALED = [[-1, -1], [1, 1], [3, 2], [5, 5]]


def table(line, header=""):
    return header + "".join(line.format(a, b) for a, b in ROWS)


def european(text):
    return text.replace(".", ",")


COMMAS = table("{},{}\n", "a,b\n")
SAME = {
    "commas": COMMAS,
    "semicolons": table("{};{}\n", "a;b\n"),
    "tabs": table("{}\t{}\n", "a\tb\n"),
    "bars": table("{}|{}\n", "a|b\n"),
    "decimal comma": european(table("{};{}\n", "a;b\n")),
    "decimal comma and tabs": european(table("{}\t{}\n", "a\tb\n")),
    "decimal comma in quotes": european(table('{}_"{}"\n', "a_b\n")).replace("_", ","),
    "commas between thousands": table('{},"{:,}"\n', "a,b\n"),
    "thousands and semicolons": table("{};{:,}\n", "a;b\n"),
    "points between thousands": table("{};{:,}\n", "a;b\n").translate(str.maketrans(",.", ".,")),
    "spaces between thousands": table("{};{:_}\n", "a;b\n").replace("_", "\u00a0").replace(".", ","),
    "apostrophes between thousands": table("{};{:_}\n", "a;b\n").replace("_", "'"),
    "quotes and spaces": table('"{}", {} \n', '"a", "b"\n'),
    "no header": table("{},{}\n"),
    "separators at the end of rows": table("{},{},\n", "a,b\n"),
    "separators at the end of all lines": table("{},{},\n", "a,b,\n"),
    "separators at the end of the header": table("{},{}\n", "a,b,\n"),
    "comments and empty lines": table("{},{}\n# next, please\n\n", "# by hand\n\na,b\n") + "\n\n",
    "carriage returns": COMMAS.replace("\n", "\r\n"),
    "old Macs": COMMAS.replace("\n", "\r"),
    "an empty column": table("{},,{}\n", "a,empty,b\n"),
    "text": table("{},{},x;y\n", "a,b,words\n"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_the_way_a_table_is_written_makes_no_difference(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    check(open_source(f"csv:{path}", timesteps=1))


def check(source):
    assert source.x_train.tolist() == [[SCALED[0]]]
    assert source.y_train.tolist() == [SCALED[1]]
    assert source.x_validation.tolist() == [[SCALED[2]]]
    assert source.y_validation.tolist() == [SCALED[3]]


BYTES = {
    "UTF-8 with a byte order mark": COMMAS.encode("utf-8-sig"),
    "UTF-16": COMMAS.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + COMMAS.encode("utf-16-be"),
    "gzip": gzip.compress(COMMAS.encode()),
    "bzip2": bz2.compress(COMMAS.encode()),
    "xz": lzma.compress(COMMAS.encode()),
    "gzip of UTF-16": gzip.compress(COMMAS.encode("utf-16")),
}


@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_the_encoding_and_the_packing_are_seen_in_the_first_bytes(tmp_path, content):
    path = tmp_path / "table"
    path.write_bytes(content)
    check(open_source(f"csv:{path}", timesteps=1))


def test_what_the_file_does_not_show_can_be_said(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(table("{};1,00{}\n", "a;größe\n").replace(".", "").encode("cp1252"))
    with pytest.raises(DataError, match=r"not UTF-8: the byte 0xf6 at offset 4 .* csv:PATH\?encoding=cp1252"):
        open_source(f"csv:{path}")
    with pytest.raises(DataError, match="encoding='nonsense' is unknown to Python"):
        open_source(f"csv:{path}?encoding=nonsense")
    path.write_text("a;b\n1;1,000\n3;3,000\n5;5,000\n7;7,000\n")
    for decimal in ("point", "comma"):
        source = open_source(f"csv:{path}?decimal={decimal}", timesteps=1)
        assert source.y_validation.tolist() == [[5, 5]]  # whichever, as it is standardised
    path.write_text("1,0\n3,0\n5,0\n7,0\n")
    one = open_source(f"csv:{path}?separator=semicolon&decimal=comma", timesteps=1)
    assert (one.features, one.y_validation.tolist()) == (1, [[5]])


def test_booleans_are_0_and_1(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\nTrue,no\nfalse,yes\ntrue,yes\nFALSE,no\n")
    source = open_source(f"csv:{path}", timesteps=1)
    assert source.x_train.tolist() == [[[1, -1]]]
    assert source.y_train.tolist() == [[-1, 1]]


def test_what_is_left_out_is_said(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("day,a,station,empty,at,c\n" + "".join(f"2024-01-0{n},{n},Ulm,,{n}:30,5\n" for n in range(1, 8)))
    words = open_source(f"csv:{path}?time=none", timesteps=1).describe()
    assert "; left out: day (dates), station (text), empty (empty), at (times of day); " in words
    assert words.endswith("; constant in the training part: c")


def test_a_parquet_file_is_read_and_its_index_with_it(tmp_path):
    pd = pytest.importorskip("pandas")
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame(reversed(ROWS), columns=["a", "b"], index=pd.date_range("2024-01-04", freq="-1D", periods=4))
    frame.rename_axis("day").assign(place="Ulm").to_parquet(path)
    source = open_source(f"csv:{path}", timesteps=1)
    check(source)
    assert source.notes[:2] == ("sorted by day, which is not read", "left out: place (text)")
    frame.assign(a=[1, None, 2, None]).to_parquet(path)
    with pytest.raises(DataError, match=re.escape(f"'{path}', row 2, column 2 ('a'): the first of 2 missing cells")):
        open_source(f"csv:{path}", timesteps=1)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        DataError, match=re.escape("needs pyarrow. Install it with: pip install 'kerasunroll[parquet]'")
    ):
        open_source(f"csv:{path}")


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(COMMAS.encode())[:-12])
    with pytest.raises(DataError, match="cannot be unpacked"):
        open_source(f"csv:{path}")


def test_large_whole_numbers_and_columns_longer_than_what_is_looked_at_keep_their_values(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a\n" + "".join(f"{2**40 + n}\n" for n in range(1500)) + f'"1,{"000," * 3}000"\n')
    source = open_source(f"csv:{path}?horizon=1", timesteps=1)
    training = 2.0**40 + np.arange(1200)  # a fifth of 1501, rounded up, is 301
    assert len(source.x_train) == 1199
    expected = (1e12 - training.mean()) / training.std()
    np.testing.assert_allclose(source.y_validation[-1], [expected], rtol=1e-5)
