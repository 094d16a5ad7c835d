import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasunroll.data.names import SourceName
from kerasunroll.errors import DataError
from kerasunroll.training.config import TrainingConfig

OPTIONS = "Options of csv: columns, target, horizon, group, label, time, fill, separator, decimal, encoding."


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("digits", "digits"),
        ("csv:a.csv?", "csv:a.csv"),
        ("csv:a.csv?horizon=1", "csv:a.csv"),
        ("csv:a.csv?horizon=024&columns=b, a&target=b", "csv:a.csv?columns=b,a&target=b&horizon=24"),
        ("csv:what%3F.csv?fill=forward", "csv:what%3F.csv?fill=forward"),
        ("csv:a%20b,c.csv", "csv:a%20b,c.csv"),
        ("csv:a.csv?target=R%26D,a%2Cb,50%", "csv:a.csv?target=R%26D,a%2Cb,50%"),
        ("csv:a.csv?group=what?", "csv:a.csv?group=what?"),
        ("npy:x.npy,y%2C1.npy", "npy:x.npy,y%2C1.npy"),
    ],
)
def test_a_name_has_one_spelling(written, canonical):
    assert str(SourceName.parse(written)) == canonical
    assert SourceName.parse(canonical) == SourceName.parse(written)


def test_what_is_escaped_means_itself():
    name = SourceName.parse("csv:~x/a%3fb%253F%20.csv?target=R%26D,a%2Cb,50%,%C3%A9")
    assert name.paths == ("~x/a?b%3F%20.csv",)
    assert name.options.target == ("R&D", "a,b", "50%", "é")


@given(
    path=st.text("ab?%,&=23CF5:", min_size=1).map(lambda path: path + "/x"),
    columns=st.lists(st.text("ab?%,&=2F", min_size=1).filter(str.strip), min_size=1, unique=True),
)
def test_every_path_and_column_survives_being_written_and_read(path, columns):
    for name in (
        SourceName("csv", (path,), SourceName.parse("csv:a").options.model_copy(update={"target": tuple(columns)})),
        SourceName("npy", (path, "y.npy")),
    ):
        assert SourceName.parse(str(name)) == name


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("csv:a.csv?targt=b", f"csv takes no option 'targt'. Did you mean 'target'? {OPTIONS}"),
        (
            "csv:why?.csv",
            f"csv takes no option '.csv'. If the question mark belongs to the path, write it as %3F. {OPTIONS}",
        ),
        ("csv:a.csv?target=", f"Option 'target' of csv has no value. Write target=VALUE. {OPTIONS}"),
        ("csv:a.csv?target", f"Option 'target' of csv has no value. Write target=VALUE. {OPTIONS}"),
        ("csv:a.csv?target=a,,b", "Option 'target=a,,b' of csv has an empty name between its commas. Leave out"),
        ("csv:a.csv?fill=forward&fill=none", "Option 'fill' of csv is given twice, the second time as 'fill=none'."),
        ("csv:a.csv?fill=zero", "Option 'fill' of csv must be forward or interpolate, got 'zero'."),
        ("csv:a.csv?horizon=0", "Option 'horizon' of csv must be an integer of at least 1, got '0'."),
        ("csv:a.csv?horizon=day", "Option 'horizon' of csv must be an integer of at least 1, got 'day'."),
        ("csv:a.csv?label=a&target=b", "label= makes the class of a sequence the target: leave out target="),
        (
            "text:why?.txt",
            "text takes no options, got '?.txt'. If the question mark belongs to the path, write it as %3F.",
        ),
        ("npz:a.npz?x=1", "npz takes no options, got '?x=1'."),
        ("npy:x.npy,", "'npy:x.npy,' lacks the path of its file."),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_a_file_is_read(spec, message):
    with pytest.raises(DataError, match=re.escape(message)):
        SourceName.parse(spec)


def test_a_training_run_keeps_the_one_spelling_and_refuses_what_is_wrong(tmp_path):
    stack = {"cell": "gru", "input_shape": (4, 1), "units": (2,), "head": {"outputs": 1}}
    config = TrainingConfig(stack=stack, source="csv:a.csv?horizon=2&target=b&fill=forward")
    assert config.source == "csv:a.csv?target=b&horizon=2&fill=forward"
    assert TrainingConfig(**config.model_dump()).source == config.source
    with pytest.raises(DataError, match=r"^csv takes no option 'horizn'"):
        TrainingConfig(stack=stack, source="csv:a.csv?horizn=2")


def test_files_at_other_places_keep_the_options():
    name = SourceName.parse("csv:a.csv?target=b")
    assert str(name.at({"a.csv": Path("/data?/a.csv")})) == "csv:/data%3F/a.csv?target=b"


def test_a_folder_of_arrays_is_named_file_by_file(tmp_path):
    for name in ("y.npy", "x.npy", "readme.txt"):
        (tmp_path / name).touch()
    whole = SourceName.parse(f"npy:{tmp_path}").whole
    assert whole.paths == (f"{tmp_path}/x.npy", f"{tmp_path}/y.npy")
    assert SourceName.parse("csv:a.csv").whole.paths == ("a.csv",)
