"""The textbook pictures: where everything stands, checked on the layout itself."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import ImageFont

from kerasunroll.errors import InputError, SettingError
from kerasunroll.figures.diagram import KINDS, MeasuredNorms, Network, draw, shapes
from kerasunroll.figures.flow_history import FlowHistory
from kerasunroll.models import StackConfig


def network(timesteps=6, units=(64, 64), cell="lstm", truncate=None, recompute=False, **options) -> Network:
    config = StackConfig(cell=cell, input_shape=(timesteps, 1), units=units, **options)
    return Network.from_config(config, truncate=truncate, recompute=recompute)


def history(norms, name="layer", training_steps=(350,)) -> FlowHistory:
    arrays = {quantity: np.atleast_2d(np.asarray(values, float)) for quantity, values in norms.items()}
    return FlowHistory(name, np.array(training_steps), arrays, np.zeros_like(arrays["x"]))


@cache
def ink(text, italic, bold):
    """Where the ink of a text lies, in its font size: left, top, right, bottom."""
    style = {(True, False): "-Oblique", (False, True): "-Bold", (True, True): "-BoldOblique"}.get((italic, bold), "")
    left, top, right, bottom = font(f"DejaVuSans{style}.ttf").getbbox(text, anchor="ls")
    return left / 100, top / 100, right / 100, bottom / 100


@cache
def font(name):
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, 100)


def label_box(label):
    """The box of a label's ink, 3 % wider than in the font that it is measured in."""
    boxes = []
    for run in label.runs:
        if not run.text.isspace():
            left, top, right, bottom = (run.size * each for each in ink(run.text, run.italic, label.bold))
            x, y = label.left + run.x, label.y - run.rise
            boxes.append((x + left, y + top, x + 1.03 * right, y + bottom))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def problems(picture):
    """What a reader would stumble over: labels over each other, outside, or crossed by a line."""
    labels = picture.labels
    boxes = np.array([label_box(label) for label in labels])
    left, top, right, bottom = boxes.T
    for index in np.nonzero((left < 2) | (top < 2) | (right > picture.width - 2) | (bottom > picture.height - 2))[0]:
        yield f"outside: {labels[index].text}"
    over = (left[:, None] < right) & (left < right[:, None]) & (top[:, None] < bottom) & (top < bottom[:, None])
    for first, second in np.argwhere(np.triu(over, 1)):
        yield f"over each other: {labels[first].text} and {labels[second].text}"
    for start, end in lines(picture):
        (x0, x1), (y0, y1) = sorted((start[0], end[0])), sorted((start[1], end[1]))
        crossed = (left < x1 + 0.5) & (right > x0 - 0.5) & (top < y1 + 0.5) & (bottom > y0 - 0.5)
        for index in np.nonzero(crossed)[0]:
            yield f"crossed by {start}-{end}: {labels[index].text}"


def lines(picture):
    """Every straight line: of arrows and of the frames of cells and chunks."""
    for shape in picture.shapes:
        if isinstance(shape, shapes.Path) and not shape.closed and shape.mark.role != "cut":
            yield from pairwise(shape.points)
        elif isinstance(shape, shapes.Box) and shape.stroke != "none":
            x0, y0, x1, y1 = shape.bounds
            yield from pairwise([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])


def assert_legible(picture):
    assert list(problems(picture)) == [], picture.title


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_every_size_for_a_lecture_is_legible(kind, layers):
    for timesteps in range(3, 13):
        settings = [False, True, 3, 5][:layers]
        assert_legible(draw(network(timesteps, (64, 128, 64, 32)[:layers], unroll=settings), kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_both_directions_cuts_and_segments_are_legible(kind, cell):
    for timesteps in (3, 7, 12, 300):
        for sequences in (False, True):
            options = {"bidirectional": sequences, "return_sequences": timesteps % 2 == 1, "unroll": [False, 2]}
            assert_legible(draw(network(timesteps, cell=cell, truncate=3, recompute=4, **options), kind))


def test_a_checker_that_finds_nothing_is_no_proof():
    picture = draw(network(), "unfolded")
    first = picture.labels[-1]
    twice = type(picture)(picture.width, picture.height, "", "", (*picture.shapes, first.moved(3, 2)))
    assert any("over each other" in problem for problem in problems(twice))
    (beside,) = [label for label in picture.labels if label.text == "$h_{5}^{(2)}$"]
    assert any("crossed" in problem for problem in problems(_with(picture, beside.moved(-12, 0))))
    assert any("outside" in problem for problem in problems(_with(picture, first.moved(0, 200))))


def _with(picture, shape):
    return type(picture)(picture.width, picture.height, "", "", (*picture.shapes, shape))


def test_columns_and_rows_are_aligned():
    picture = draw(network(5, (8, 8, 8)), "unfolded")
    cells = picture.marked("cell")
    assert len(cells) == 3 * 5
    for t in range(5):
        (column,) = {cell.x + cell.width / 2 for cell in cells if cell.mark.time_step == t}
        (node,) = [each for each in picture.marked("input") if each.mark.time_step == t]
        assert node.x == pytest.approx(column)
    for layer in (1, 2, 3):
        assert len({cell.y for cell in cells if cell.mark.layer == layer}) == 1
    # The first layer lies at the bottom.
    assert picture.marked("cell", 1)[0].y > picture.marked("cell", 3)[0].y


def test_copies_of_a_layer_share_a_colour_and_layers_do_not():
    picture = draw(network(4, (8, 8, 8, 8)), "unfolded")
    fills = [{cell.fill for cell in picture.marked("cell", layer)} for layer in (1, 2, 3, 4)]
    assert [len(each) for each in fills] == [1, 1, 1, 1]
    assert len(set.union(*fills)) == 4


@pytest.mark.parametrize(("cell", "states"), [("lstm", {"h", "c"}), ("gru", {"h"}), ("simple_rnn", {"h"})])
def test_states_flow_right_and_gradients_left(cell, states):
    forward = draw(network(4, (8,), cell), "unfolded").marked("state")
    assert {(each.mark.name, each.mark.time_step) for each in forward} == {(s, t) for s in states for t in range(-1, 3)}
    assert all(each.points[-1][0] > each.points[0][0] for each in forward)
    back = draw(network(4, (8,), cell), "backward").marked("gradient")
    assert {(each.mark.name, each.mark.time_step) for each in back} == {(s, t) for s in states for t in range(3)}
    assert all(each.points[-1][0] < each.points[0][0] for each in back)
    assert {each.mark.name for each in draw(network(4, (8,), cell), "folded").marked("cycle")} == states


def test_the_backward_direction_flows_the_other_way():
    picture = draw(network(4, (8,), "gru", bidirectional=True), "unfolded")
    flows = {(each.mark.time_step, each.points[-1][0] > each.points[0][0]) for each in picture.marked("state")}
    assert flows == {(t, True) for t in (-1, 0, 1, 2)} | {(t, False) for t in (4, 3, 2, 1)}


@pytest.mark.parametrize(
    ("unroll", "timesteps", "inside", "rest", "words"),
    [
        (False, 7, 1, 0, "7 iterations: $t$ = $0$, $1$, $…$, $6$"),
        (True, 7, 7, 0, "7 copies, each run once"),
        (3, 7, 3, 1, "2 iterations: $t$ = $0$, $3$"),
        (3, 6, 3, 0, "2 iterations: $t$ = $0$, $3$"),
        (5, 7, 5, 2, "1 iteration: $t$ = $0$"),
        (9, 7, 7, 0, "7 copies, each run once"),
    ],
)
def test_copies_as_they_execute(unroll, timesteps, inside, rest, words):
    picture = draw(network(timesteps, (8,), unroll=unroll), "execution")
    assert (len(picture.marked("cell")), len(picture.marked("rest"))) == (inside, rest)
    assert words in [label.text for label in picture.labels]
    assert len(picture.marked("loop")) == ("iteration" in words)
    copies = inside + rest
    assert f"{copies} {'copy' if copies == 1 else 'copies'} of the cell" in [label.text for label in picture.labels]


def test_the_rest_of_a_chunked_layer_is_named():
    picture = draw(network(8, (8,), unroll=3), "execution")
    texts = [label.text for label in picture.labels]
    assert [text for text in texts if text.startswith("$t=")] == ["$t=6$", "$t=7$"]
    assert {"$t$", "$t+1$", "$t+2$"} <= set(texts)


def test_the_gradient_is_cut_where_the_layer_cuts_it():
    """Every 3 time steps: between 2 and 3, and between 5 and 6; in the other direction counted from the end."""
    assert cuts(draw(network(8, (8,), truncate=3), "execution")) == [3, 6]
    picture = draw(network(8, (8,), "gru", truncate=3), "backward")
    assert cuts(picture) == [2, 5]  # named by the state that it would flow through
    assert {each.mark.time_step for each in picture.marked("gradient")} == {0, 1, 3, 4, 6}
    both = draw(network(8, (8,), "gru", truncate=3, bidirectional=True), "backward")
    assert cuts(both) == [2, 2, 5, 5]  # backwards: 7, 6, 5 | 4, 3, 2 | 1, 0


def cuts(picture):
    return sorted(each.mark.time_step for each in picture.marked("cut"))


def test_cuts_that_are_not_shown_are_counted():
    """At 3, 6, ..., 18 there are six; with 0, 1, 2 and 19 shown, the one at 3 is at the border."""
    picture = draw(network(20, (8,), truncate=3), "execution", show=4)
    assert cuts(picture) == [3]
    assert [each.mark.name for each in picture.marked("hidden cuts")] == ["5"]
    assert "5 cuts" in [label.text for label in picture.labels]


def test_states_between_segments_are_kept_and_the_others_recomputed():
    """Of 8 time steps, two segments of 3 are recomputed; what is entered at 6 and 7, the rest, is kept."""
    picture = draw(network(8, (8,), recompute=3), "execution")
    assert [each.mark.time_step for each in picture.marked("kept")] == [0, 3, 6, 7]
    assert [each.mark.time_step for each in picture.marked("recomputed")] == [1, 2, 4, 5]
    assert [each.mark.name for each in picture.marked("segment")] == ["0-2", "3-5"]
    assert {each.fill for each in picture.marked("recomputed")} == {"#ffffff"}
    assert "#ffffff" not in {each.fill for each in picture.marked("kept")}
    brackets = {each.mark.name: each for each in picture.marked("segment")}
    squares = {each.mark.time_step: each for each in picture.marked("time step")}
    for name, (first, last) in {"0-2": (0, 2), "3-5": (3, 5)}.items():
        left, _, right, _ = brackets[name].bounds
        assert left == pytest.approx(squares[first].bounds[0])
        assert right == pytest.approx(squares[last].bounds[2])


@pytest.mark.parametrize(
    ("unroll", "loops", "inside", "rest"),
    # Of 11 time steps, two segments of 4 in a loop, and 3 that remain: each runs in the setting.
    [(False, 3, 1 + 1, 0), (True, 1, 4, 3), (3, 3, 3 + 3, 1)],
)
def test_segments_run_in_a_loop_of_their_own(unroll, loops, inside, rest):
    picture = draw(network(11, (8,), unroll=unroll, recompute=4), "execution")
    assert (len(picture.marked("cell")), len(picture.marked("rest"))) == (inside, rest)
    assert len(picture.marked("loop")) == loops
    assert f"{inside + rest} copies of the cell" in [label.text for label in picture.labels]
    assert "2 segments: $s$ = $0$, $4$" in [label.text for label in picture.labels]
    assert_legible(picture)


def test_a_sequence_shorter_than_a_segment_is_kept():
    assert network(5, recompute=6) == network(5)


@pytest.mark.parametrize(("timesteps", "segment"), [(9, 3), (10, 4), (1, 1)])
def test_segments_are_the_square_root_of_t_by_default(timesteps, segment):
    assert network(timesteps, recompute=True).layers[0].ways[0].segment == segment


def test_long_sequences_have_an_ellipsis():
    picture = draw(network(100, (8,)), "unfolded")
    assert [each.mark.time_step for each in picture.marked("cell")] == [0, 1, 2, 3, 4, 5, 98, 99]
    assert "· · ·" in [label.text for label in picture.labels]
    assert {"$x_{98}$", "$x_{99}$"} <= {label.text for label in picture.labels}
    # The state that comes out of the ellipsis is that of the last time step in it.
    assert [each.mark.time_step for each in picture.marked("state") if each.mark.name == "h"][-2:] == [97, 98]
    assert len(draw(network(100, (8,)), "unfolded", show=20).marked("cell")) == 20
    assert "· · ·" not in [label.text for label in draw(network(12, (8,)), "unfolded").labels]


def test_the_larger_the_norm_the_darker_the_arrow():
    norms = 10.0 ** np.array([-9, -7, -5, -4, -3, -1])
    measured = MeasuredNorms.of_run([history({"h": norms, "x": norms / 2})], network(6, (8,), "gru"))
    picture = draw(network(6, (8,), "gru"), "backward", norms=measured)
    for role in ("gradient", "input gradient"):
        shades = [lightness(each.stroke) for each in sorted(picture.marked(role), key=lambda each: each.mark.time_step)]
        assert shades[0] == 3 * 255  # eight decades below the largest is white
        assert all(after < before for before, after in pairwise(shades[1:]))
    (loss,) = picture.marked("loss gradient")
    assert lightness(loss.stroke) < min(lightness(each.stroke) for each in picture.marked("gradient"))
    assert "training step 350" in picture.description
    assert_legible(picture)


def lightness(colour):
    return sum(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def test_every_arrow_is_shaded_by_its_own_norm():
    """The first layer's gradients vanish, the second's do not."""
    flat, vanished = np.full(5, 1.0), np.full(5, 1e-7)
    run = [history({"h": vanished, "x": vanished}), history({"h": flat, "x": flat})]
    stack = network(5, (8, 8), "gru")
    picture = draw(stack, "backward", norms=MeasuredNorms.of_run(run, stack))
    lower, upper = (
        {each.stroke for role in ("gradient", "input gradient") for each in picture.marked(role, layer)}
        for layer in (1, 2)
    )
    assert (len(lower), len(upper)) == (1, 1)
    assert lightness(*lower) > lightness(*upper)


def test_what_is_masked_is_dashed():
    norms = [np.nan, np.nan, 0.1, 0.2]
    stack = network(4, (8,), "gru")
    picture = draw(stack, "backward", norms=MeasuredNorms.of_run([history({"h": norms, "x": norms})], stack))
    dashed = {each.mark.time_step for each in picture.marked("input gradient") if each.dash}
    assert dashed == {0, 1}
    assert "masked" in picture.description


def test_the_training_step_nearest_to_the_one_asked_for_is_drawn():
    norms = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    run = [history({"h": norms, "x": norms}, training_steps=(1, 51, 101))]
    stack = network(2, (8,), "gru")
    assert MeasuredNorms.of_run(run, stack).training_step == 101
    near = MeasuredNorms.of_run(run, stack, training_step=40)
    assert near.training_step == 51
    np.testing.assert_array_equal(near.rows[0]["h"], [0.3, 0.4])


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ([], "no gradients through time"),
        ([history({"h": [1, 2], "x": [1, 2]})] * 2, "of 2 layers, but the network has 1"),
        ([history({"h": [1, 2], "x": [1, 2]}, name="gru_1")], "at 2 time steps in layer 'gru_1'"),
    ],
)
def test_the_run_of_another_network_is_refused(run, message):
    with pytest.raises(InputError, match=message):
        MeasuredNorms.of_run(run, network(3, (8,), "gru"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncate": 0}, "Invalid truncate"),
        ({"recompute": -1}, "Invalid recompute"),
        ({"unroll": "auto"}, "unroll='auto'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        network(**options)
    with pytest.raises(SettingError, match="contradict each other"):
        network(unroll=8, recompute=4)
    with pytest.raises(InputError, match="Expected at least 3 time steps"):
        draw(network(), "unfolded", show=2)
    with pytest.raises(InputError, match="Invalid kind"):
        draw(network(), "sideways")


def test_a_sequence_read_from_its_end_begins_with_its_last_input():
    picture = draw(network(3, (8,), "gru", go_backwards=True), "unfolded")
    inputs = sorted(picture.marked("input"), key=lambda each: each.x)
    assert all(isinstance(each, shapes.Circle) for each in inputs)
    assert [each.mark.time_step for each in inputs] == [2, 1, 0]
