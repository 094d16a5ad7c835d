"""Pictures and texts of states and gradients, from arrays that are known: no model, no TensorFlow."""

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kerasunroll.display.colours import MASKED_COLOUR, NOT_FINITE_COLOUR
from kerasunroll.errors import InputError
from kerasunroll.inspection import GradientsThroughTime, HiddenStates, LayerGradients, LayerStates, NotFinite
from kerasunroll.inspection.gradients.norms import reduce_over_batch

B, T, F, U = 3, 6, 2, 4
LSTM_GATES = ("input_gate", "forget_gate", "candidate", "output_gate")
GRU_GATES = ("update_gate", "reset_gate", "candidate")
HOSTILE = '<script>&"$x_1$'


def layer_states(name="lstm", gates=LSTM_GATES, go_backwards=False, unmasked=None, **broken):
    random = np.random.default_rng(0)
    unmasked = np.ones((B, T), bool) if unmasked is None else unmasked
    values = {state: random.normal(size=(B, T, U)) for state in (("h", "c") if "forget_gate" in gates else ("h",))}
    values |= {gate: np.where(unmasked[..., None], random.uniform(size=(B, T, U)), np.nan) for gate in gates}
    values["x"] = random.normal(size=(B, T, F))
    for what, (at, value) in broken.items():
        values[what][at] = value
    states = {state: values[state] for state in ("h", "c") if state in values}
    return LayerStates(name, go_backwards, unmasked, states, {gate: values[gate] for gate in gates}, values["x"])


def both(**options):
    layers = [layer_states("lstm", **options), layer_states("gru", GRU_GATES, **options)]
    return HiddenStates({layer.layer: layer for layer in layers})


def layer_gradients(name="lstm", gates=LSTM_GATES, go_backwards=False, unmasked=None, per_unit=True, **broken):
    found = layer_states(name, gates, go_backwards, unmasked, **broken)
    unmasked = found.unmasked
    arrays = {**found.states, **found.gates, "x": found.x}
    arrays = {what: np.where(unmasked[..., None], values, 0.0) for what, values in arrays.items()}
    norms = {
        what: reduce_over_batch(np.linalg.norm(arrays[what], axis=2), unmasked, per_sample=True)
        for what in ("x", *found.states)
    }
    return LayerGradients(
        name,
        go_backwards,
        1.0 - unmasked.mean(axis=0),
        norms.pop("x"),
        norms,
        None,
        {},
        unmasked,
        arrays if per_unit else {},
    )


def gradients(*layers):
    return GradientsThroughTime(1.5, layers or (layer_gradients(), layer_gradients("gru", GRU_GATES)))


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def shown(axes):
    return axes.images[0].get_array()


@pytest.fixture(autouse=True)
def _nothing_is_left_open():
    yield
    assert plt.get_fignums() == []


def test_a_layer_is_a_column_and_a_quantity_a_heatmap():
    figure = both().plot()
    titles = [
        *[f"lstm: {what}" for what in ("h", "c", "input gate", "forget gate", "candidate", "output gate")],
        *[f"gru: {what}" for what in ("h", "update gate", "reset gate", "candidate")],
    ]
    assert sorted(panels(figure)) == sorted(titles)
    columns = {title.split(":")[0]: axes.get_position().x0 for title, axes in panels(figure).items()}
    assert columns["lstm"] < columns["gru"]
    figure.draw_without_rendering()
    assert figure.get_suptitle() == "States and gates, mean over all samples"


def test_the_picture_is_the_arrays():
    states = both()
    for sample in range(B):
        for title, axes in panels(states.plot(sample=sample)).items():
            layer, what = title.split(": ")
            found = states[layer]
            values = {**found.states, **found.gates}[what.replace(" ", "_")]
            np.testing.assert_array_equal(shown(axes), values[sample].T)
            assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, T - 0.5), (-0.5, U - 0.5))
            limits = (axes.images[0].norm.vmin, axes.images[0].norm.vmax)
            largest = np.abs(values[sample]).max()
            assert limits == ((0, 1) if "gate" in what else (-largest, largest))
    mean = shown(panels(states.plot("lstm", "h"))["lstm: h"])
    np.testing.assert_allclose(mean, states["lstm"].h.mean(axis=0).T)
    np.testing.assert_array_equal(shown(panels(states["gru"].plot("x", sample=1))["gru: x"]), states["gru"].x[1].T)


def test_layers_and_quantities_come_in_the_order_asked_for():
    assert list(panels(both().plot(["gru", "lstm"], ["candidate", "h"]))) == [
        "gru: candidate", "gru: h", "lstm: candidate", "lstm: h"
    ]  # fmt: skip
    assert list(panels(both().plot(what="forget_gate"))) == ["lstm: forget gate"]  # the GRU has none


@pytest.mark.parametrize("sample", [None, 0, 1])
def test_masked_time_steps_are_grey_and_not_in_the_mean(sample):
    unmasked = np.array([[1, 1, 0, 0, 1, 0], [0, 1, 1, 0, 1, 0], [1, 1, 1, 0, 1, 0]], bool)
    states = layer_states(unmasked=unmasked)
    there = unmasked.any(axis=0) if sample is None else unmasked[sample]
    axes = panels(states.plot("forget_gate", sample))["lstm: forget gate"]
    grey = [patch for patch in axes.patches if patch.get_hatch()]
    covered = {t for patch in grey for t in range(T) if patch.get_x() < t < patch.get_x() + patch.get_width()}
    assert covered == set(np.flatnonzero(~there))
    assert all(np.allclose(patch.get_facecolor()[:3], [217 / 255] * 3) for patch in grey)
    assert MASKED_COLOUR == "#d9d9d9"
    gate = states.gates["forget_gate"]
    expected = np.nanmean(gate[:, there], axis=0) if sample is None else gate[sample, there]
    np.testing.assert_allclose(shown(axes)[:, there], expected.T)
    assert not np.ma.getmaskarray(shown(axes)).any()  # not pink below the grey


def test_nan_and_inf_are_pink():
    states = layer_states(h=((1, 2, 3), np.nan), c=((0, 4, 1), np.inf))
    for what, place in (("h", (3, 2)), ("c", (1, 4))):
        image = panels(states.plot(what))[f"lstm: {what}"].images[0]
        assert np.argwhere(np.ma.getmaskarray(image.get_array())).tolist() == [list(place)]
        assert image.cmap.get_bad()[:3] == pytest.approx([0xE6 / 255, 0, 0x7E / 255])
    assert NOT_FINITE_COLOUR == "#e6007e"


FIRST = [
    ({"forget_gate": ((2, 3, 1), np.nan)}, False, NotFinite("lstm", 3, "forget_gate", "NaN", 2)),
    ({"h": ((1, 2), np.nan), "c": ((1, 2), np.inf)}, False, NotFinite("lstm", 2, "c", "Inf", 1)),
    ({"h": ((slice(None), slice(2, 5)), np.inf)}, False, NotFinite("lstm", 2, "h", "Inf", 0)),
    ({"h": ((slice(None), slice(2, 5)), np.inf)}, True, NotFinite("lstm", 4, "h", "Inf", 0)),
    ({"x": ((0, 1, 0), np.nan), "input_gate": ((0, 1), np.nan)}, True, NotFinite("lstm", 1, "x", "NaN", 0)),
    ({"c": ((1, 5), np.nan), "output_gate": ((2, 0), np.nan)}, True, NotFinite("lstm", 5, "c", "NaN", 1)),
]


@pytest.mark.parametrize(("broken", "go_backwards", "first"), FIRST)
def test_what_first_became_nan_is_named(broken, go_backwards, first):
    layers = [
        layer_states("whole"),
        layer_states(go_backwards=go_backwards, **broken),
        layer_states("later", h=(0, np.nan)),
    ]
    states = HiddenStates({layer.layer: layer for layer in layers})
    assert states.first_not_finite == first
    for text in (repr(states), states._repr_html_(), states.plot("later", "h").get_suptitle()):
        assert str(first) in text


def test_the_words_for_it():
    assert str(NotFinite("lstm_2", 17, "forget_gate", "NaN")) == "NaN first in lstm_2, time step 17, forget gate"
    assert str(NotFinite("a", 0, "h", "Inf", 3, gradient=True)) == (
        "Inf first in a, time step 0, gradient with respect to state h (sample 3)"
    )


def test_a_masked_nan_is_none():
    unmasked = np.ones((B, T), bool)
    unmasked[:, 4:] = False
    assert layer_states(unmasked=unmasked).first_not_finite is None  # the gates are NaN there
    assert "NaN" not in repr(layer_states(unmasked=unmasked))
    assert layer_states(unmasked=unmasked, h=((0, 3), np.nan)).first_not_finite.time_step == 3


@pytest.mark.parametrize("go_backwards", [False, True])
def test_on_the_way_back_the_last_comes_first(go_backwards):
    broken = {"h": ((1, slice(0, 3)), np.nan), "c": ((0, 1), np.nan), "forget_gate": ((2, 5), np.inf)}
    layers = (layer_gradients("below", h=(0, np.nan)), layer_gradients(go_backwards=go_backwards, **broken))
    expected = (0, "h", "NaN", 1) if go_backwards else (5, "forget_gate", "Inf", 2)
    first = NotFinite("lstm", *expected, gradient=True)
    result = gradients(*layers)
    assert result.first_not_finite == first
    for text in (repr(result), result._repr_html_(), result.plot("below", "h").get_suptitle()):
        assert str(first) in text


def test_norms_alone_name_it_without_the_gate_and_the_sample():
    layer = layer_gradients(per_unit=False, c=((1, 3), np.inf), forget_gate=((0, 5), np.nan))
    assert layer.first_not_finite == NotFinite("lstm", 3, "c", "Inf", gradient=True)


def test_gradients_are_shown_as_norms_over_samples_or_with_their_sign():
    result = gradients()
    assert list(panels(result.plot())) == [
        *[
            f"lstm: dL/d{what}"
            for what in ("h", "c", "(input gate)", "(forget gate)", "(candidate)", "(output gate)", "x")
        ],
        *[f"gru: dL/d{what}" for what in ("h", "(update gate)", "(reset gate)", "(candidate)", "x")],
    ]
    values = result["lstm"].per_unit["forget_gate"]
    image = panels(result.plot("lstm", "forget_gate"))["lstm: dL/d(forget gate)"].images[0]
    np.testing.assert_allclose(image.get_array(), np.linalg.norm(values, axis=0).T)
    assert image.norm.vmax == pytest.approx(np.linalg.norm(values, axis=0).max())
    image = panels(result["lstm"].plot("forget_gate", sample=2))["lstm: dL/d(forget gate)"].images[0]
    np.testing.assert_array_equal(image.get_array(), values[2].T)
    assert image.norm.vmin == -image.norm.vmax == -np.abs(values[2]).max()


def test_a_gradient_of_zero_is_not_pink():
    layer = layer_gradients(forget_gate=((slice(None), 0), 0.0))
    image = panels(layer.plot("forget_gate"))["lstm: dL/d(forget gate)"].images[0]
    assert not np.ma.getmaskarray(image.get_array()).any()
    assert (image.get_array()[:, 0] < image.norm.vmin).all()
    everywhere = layer_gradients(forget_gate=(slice(None), 0.0))
    everywhere.plot("forget_gate").draw_without_rendering()
    everywhere.plot("forget_gate", sample=0).draw_without_rendering()


def test_without_units_the_norms_are_drawn_over_time():
    unmasked = np.ones((B, T), bool)
    unmasked[:, 5], unmasked[0, 0] = False, False
    layer = layer_gradients(per_unit=False, unmasked=unmasked, c=((1, 2), np.nan))
    (axes,) = gradients(layer).plot().axes
    assert [line.get_label() for line in axes.lines] == ["dL/dh", "dL/dc", "dL/dx"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), layer.c.mean)
    assert sorted((patch.get_x(), bool(patch.get_hatch())) for patch in axes.patches) == [(1.5, False), (4.5, True)]
    (axes,) = layer.plot("h", sample=0).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), layer.h.per_sample[0])
    assert sorted(patch.get_x() for patch in axes.patches) == [-0.5, 4.5]


REFUSED = {
    "layer": (lambda: both().plot("lstm_7"), "No layer 'lstm_7': expected one or several of lstm, gru."),
    "what": (lambda: both().plot(what=["h", "c_gate"]), "No state or gate 'c_gate': expected one or several of h, c,"),
    "sample": (lambda: both().plot(sample=3), "No sample 3: the batch has 3, so expected 0 to 2, or None for all."),
    "negative": (lambda: gradients().plot(sample=-1), "No sample -1: the batch has 3"),
    "gradient": (lambda: gradients().plot(what="update"), "No gradient 'update': expected one or several of h, c,"),
    "per unit": (
        lambda: layer_gradients(per_unit=False).plot("forget_gate"),
        r"of h, c, x\. Gradients per gate and unit: gradients_through_time\(\.\.\., per_unit=True\)\.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_there_is_refused(case):
    plot, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        plot()


def test_the_texts():
    unmasked = np.ones((B, T), bool)
    unmasked[0, :] = False
    states = both(unmasked=unmasked)
    for gate in states["lstm"].gates.values():
        gate[:] = 0.5
    states["lstm"].gates["forget_gate"][1] = 0.95
    lines = repr(states).splitlines()
    assert lines[0] == "Hidden states of 2 layers"
    assert "3 × 6 × 4" in lines[2]
    assert "33 %" in lines[2]
    assert lines[2].endswith("input 0 % / 0 %; forget 0 % / 50 %; output 0 % / 0 %")
    kept = states["lstm"].c[1:]
    assert f"c: {kept.min():.3g} to {kept.max():.3g}" in lines[2]
    assert repr(states["lstm"]).splitlines()[0] == "Hidden states of 1 layer"
    lines = repr(gradients(layer_gradients(go_backwards=True))).splitlines()
    assert lines[0] == "Gradients through time of 1 layer, loss 1.5"
    assert lines[2].startswith("lstm, backwards")
    assert "gradient neither halves nor doubles" in lines[2]


@pytest.mark.parametrize("make", [layer_states, layer_gradients])
def test_html_is_escaped_well_formed_and_without_a_ground_of_its_own(make):
    html = make(HOSTILE)._repr_html_()
    tree = ElementTree.fromstring(html.replace("xmlns:xlink", "xmlns"))  # noqa: S314 - our own
    assert "<script>" not in html
    texts = [text.strip() for text in tree.itertext()]
    assert HOSTILE in texts  # in the table
    assert any(text.startswith(HOSTILE) for text in texts[texts.index(HOSTILE) + 1 :])  # and in the picture
    assert "<svg" in html
    assert "currentColor" in html
    assert "#000000" not in html
    assert "background-color" not in html


def test_pictures_on_one_page_share_no_identifiers():
    def identifiers(html):
        return {node.get("id") for node in ElementTree.fromstring(html).iter() if node.get("id")}  # noqa: S314

    one, other = (identifiers(layer_states(name)._repr_html_()) for name in ("a", "b"))
    assert one
    assert not one & other


def test_a_dict_it_is():
    states = both()
    assert isinstance(states, dict)
    assert (list(states), len(states), "gru" in states) == (["lstm", "gru"], 2, True)
    assert states == dict(states)
    assert repr(HiddenStates()).startswith("Hidden states of 0 layers")


def test_a_notebook_shows_the_figure_and_pyplot_is_not_needed():
    assert both().plot()._repr_png_().startswith(b"\x89PNG")
    program = (
        "import sys, test_plots as t\n"
        "del sys.modules['matplotlib.pyplot']\n"
        "t.both().plot()._repr_png_(); t.both()._repr_html_(); t.gradients()._repr_html_(); t.gradients().plot()\n"
        "print('loaded:', sorted({'matplotlib.pyplot', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=__file__.rpartition("/")[0]
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"
