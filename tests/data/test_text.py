import re

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "corpus.txt"
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


def test_targets_are_the_characters_that_follow(write):
    source = open_source(f"text:{write('abcdefgh' * 3)}", timesteps=3)
    # 24 characters are 6 windows of 4: 4 for training, 2 (a fifth, rounded up) for validation.
    assert source.x_train.tolist() == [[0, 1, 2], [4, 5, 6], [0, 1, 2], [4, 5, 6]]
    assert source.y_train.tolist() == [[1, 2, 3], [5, 6, 7], [1, 2, 3], [5, 6, 7]]
    assert source.x_validation.tolist() == [[0, 1, 2], [4, 5, 6]]
    assert source.y_validation.tolist() == [[1, 2, 3], [5, 6, 7]]


def test_windows_read_the_file_in_order_and_share_no_character(write):
    # All characters are distinct, so a token names one place in the file.
    text = "".join(chr(0x4E00 + place) for place in range(107))
    source = open_source(f"text:{write(text)}", timesteps=9)
    windows = [
        np.concatenate([x, y[:, -1:]], axis=1)
        for x, y in ((source.x_train, source.y_train), (source.x_validation, source.y_validation))
    ]
    assert [len(part) for part in windows] == [8, 2]
    assert np.concatenate(windows).ravel().tolist() == list(range(100))


def test_every_character_of_the_file_is_in_the_vocabulary(write):
    text = "na\u00efve \U0001f642\r\n" * 20  # n a ï v e, space, an emoji outside the 16-bit range, \r, \n
    source = open_source(f"text:{write(text)}", timesteps=4)
    assert source.vocabulary == 9
    assert source.task == Classification(9)
    assert source.x_train.dtype == source.y_train.dtype == np.int32
    assert source.x_train.max() == 8
    letters = sorted(set(text))
    assert "".join(letters[token] for token in source.x_train[0]) == text[:4]


def test_it_says_its_shapes(write):
    source = open_source(f"text:{write('ab' * 325)}")
    assert source.describe() == (
        "text:corpus.txt: 8 training and 2 validation sequences, T=64, vocabulary of 2, 2 classes at each time step"
    )
    assert (source.input_shape, source.timesteps, source.features) == ((64,), 64, None)
    assert source.return_sequences


def test_two_windows_are_the_least(write):
    source = open_source(f"text:{write('abcdefgh')}", timesteps=3)
    assert source.x_train.shape == source.x_validation.shape == (1, 3)
    path = write("abcdefg")
    expected = (
        f"'{path}' has 7 characters, but one training and one validation window of "
        "timesteps + 1 = 4 need 8. Take a longer text or fewer timesteps."
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        open_source(f"text:{path}", timesteps=3)


def test_a_single_character_repeated_is_refused(write):
    path = write("\n" * 500)
    with pytest.raises(DataError, match=re.escape(f"'{path}' repeats one character only ('\\n')")):
        open_source(f"text:{path}")
