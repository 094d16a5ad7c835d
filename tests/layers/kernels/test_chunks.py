"""How time is cut into chunks."""

import pytest
import tensorflow as tf

from kerasunroll.layers.kernels.chunks import ROWS, ChunkedTime, chunk_length, filled_up


def visited(time):
    spans = [time.span(number) for number in range(int(time.chunks))]
    return [int(span.start) + t for span in spans for t in range(int(span.count))]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("steps", "length"), [(1, 1), (6, 3), (7, 3), (5, 5), (100, 16)])
def test_each_time_step_is_in_one_chunk_in_order(steps, length, known):
    time = ChunkedTime(steps if known else tf.constant(steps), length)
    assert visited(time) == list(range(steps))


@pytest.mark.parametrize(("steps", "length"), [(7, 3), (100, 16)])
def test_no_chunk_has_rows_beyond_the_sequences(steps, length):
    time = ChunkedTime(steps, length)
    assert all(time.span(number).start + length <= steps for number in range(time.chunks))


def test_a_chunk_has_about_so_many_rows_of_half_a_batch_whatever_t():
    assert [chunk_length(32, steps, None, 1) for steps in (5, 96, 960)] == [5, ROWS // 16, ROWS // 16]
    assert chunk_length(2 * ROWS, 100, None, 1) == 1


def test_a_chunk_divides_t_where_one_near_does():
    assert [chunk_length(32, steps, None, 1) for steps in (100, 101)] == [10, 12]


def test_a_chunk_has_whole_iterations():
    assert [chunk_length(32, 100, None, k) % k for k in (3, 8, 32)] == [0, 0, 0]


def test_what_is_asked_for_is_taken_but_no_more_than_there_is():
    assert [chunk_length(32, steps, 7, 1) for steps in (100, 5, None)] == [7, 5, 7]


@pytest.mark.parametrize(("steps", "rows"), [(1, 16), (16, 16), (17, 32), (32, 32), (33, 64), (2**13, 2**13)])
def test_sequences_of_unknown_length_are_filled_up_to_few_lengths(steps, rows):
    filled = filled_up(tf.ones((1, steps, 1)), 16)
    assert (filled.shape[1], float(tf.reduce_sum(filled))) == (rows, steps)
