"""A comparison in a notebook, run by a real kernel: what is defined in its cells reaches the workers."""

import nbclient
import nbformat
import pytest

CELLS = [
    """
    import keras, kerasunroll, numpy as np
    EXPONENT = 2

    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    def own_loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** EXPONENT, -1)

    series, fixed = keras.Input((6, 3), name="series"), keras.Input((2,), name="fixed")
    hidden = keras.layers.LSTM(4)(Doubled()(series))
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()([hidden, fixed]))
    model = keras.Model({"series": series, "fixed": fixed}, outputs)
    model.compile("adam", own_loss)
    rng = np.random.default_rng(0)
    x = {"series": rng.normal(size=(64, 6, 3)), "fixed": rng.normal(size=(64, 2))}
    y = rng.normal(size=(64, 1))
    """,
    """
    comparison = kerasunroll.compare(model, x, y, unroll=["loop", "full", 2], train=False, processes=1, max_rounds=10)
    comparison
    """,
    "sorted((record.variant, record.outcome.value) for record in comparison.records)",
    "comparison.plot('memory')",
    "comparison.table[['setting', 'path']]",
]


@pytest.fixture(scope="module")
def cells():
    from textwrap import dedent

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(dedent(cell)) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=250, kernel_name="python3").execute()
    return notebook.cells


def results(cell):
    return [output["data"] for output in cell.outputs if output["output_type"] in ("execute_result", "display_data")]


def test_all_settings_were_measured(cells):
    measured = results(cells[2])[0]["text/plain"]
    assert measured.count("'done'") == 6
    assert all(f"'{setting}'" in measured for setting in ("loop", "full", "k2"))


def test_the_comparison_shows_itself(cells):
    shown = results(cells[1])[-1]
    assert "Take " in shown["text/plain"]
    assert shown["text/html"].count("<table") == 1
    assert shown["text/html"].count("<svg") >= 4


def test_a_progress_bar_was_there(cells):
    assert any("application/vnd.jupyter.widget-view+json" in data for data in results(cells[1])[:-1])


def test_a_picture_is_shown_once(cells):
    pictures = [data for data in results(cells[3]) if "image/png" in data]
    assert len(pictures) == 1
