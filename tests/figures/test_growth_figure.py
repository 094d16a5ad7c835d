"""The picture of what grows with T: what is drawn, and what is said."""

import numpy as np

from kerasunroll.figures.growth import Line, Panel, growth_figure

LOOP = Line("loop: nothing", [25, 50, 100], [997, 997, 997], colour="#0072b2", marker="o")
FULL = Line("full: 100.0", [25, 50], [2500, 5000], colour="#d55e00", marker="s")


def panel(*lines: Line) -> Panel:
    return Panel("graph nodes", lambda value: f"{value:,.0f} nodes", lines)


def test_each_setting_is_a_line_over_t_from_nothing_on():
    axes = growth_figure("lstm", [panel(LOOP, FULL)]).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    assert (axes.get_xlim()[0], axes.get_ylim()[0]) == (0, 0)
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("time steps T", "graph nodes")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["loop: nothing", "full: 100.0"]
    for line, drawn in zip((LOOP, FULL), axes.lines, strict=True):
        np.testing.assert_array_equal(drawn.get_xdata(), line.timesteps)
        np.testing.assert_array_equal(drawn.get_ydata(), line.values)
    assert [f"{tick:g}" for tick in axes.get_xticks()] == ["25", "50", "100"]


def test_numbers_of_time_steps_that_would_touch_are_left_out():
    doubled = Line("loop", [8, 16, 32, 64, 100, 200, 400, 800], range(8), colour="#0072b2")
    axes = growth_figure("lstm", [panel(doubled)]).axes[0]
    assert list(axes.get_xticks()) == [32, 100, 200, 400, 800]  # 40 apart, from the largest on: 64 is too near to 100


def test_the_legend_hides_no_line():
    figure = growth_figure("lstm", [panel(LOOP, FULL), panel(FULL)])
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0


def test_a_setting_has_one_look_in_all_panels():
    figure = growth_figure("lstm", [panel(LOOP, FULL), panel(FULL)])
    looks = [[(line.get_color(), line.get_marker()) for line in axes.lines] for axes in figure.axes]
    assert looks == [[("#0072b2", "o"), ("#d55e00", "s")], [("#d55e00", "s")]]


def test_what_does_not_grow_looks_flat():
    axes = growth_figure("lstm", [panel(LOOP)]).axes[0]
    assert axes.get_ylim()[0] == 0 < 997 < axes.get_ylim()[1]


def test_what_is_missing_is_said():
    figure = growth_figure("lstm", [panel(LOOP)], note="Left out: full at T=400")
    assert figure.get_supxlabel() == "Left out: full at T=400"
    assert "lower is better" in figure.get_suptitle()
