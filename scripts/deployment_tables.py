"""Write the tables of docs/deployment.md from real conversions: what converts, what it costs, what is tried besides.

    python scripts/deployment_tables.py            # about a quarter of an hour on two quiet cores
    python scripts/deployment_tables.py --quick    # T=8 and one cell only, to see that it works

Each run goes into a folder of its own below logs/deployment_tables, and is not done again if it is there already.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

import kerasunroll
from kerasunroll import Classification
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.rows import Row
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.errors import InputError
from kerasunroll.models import StackConfig
from kerasunroll.units import format_bytes, format_seconds

PAGE: Final = Path(__file__).parents[1] / "docs" / "deployment.md"
RUNS: Final = Path("logs/deployment_tables")
CELLS: Final = ("lstm", "gru", "simple_rnn")
TIMESTEPS: Final = (8, 32, 128)
UNITS: Final = 32
FEATURES: Final = 3


class MinimalCell(keras.layers.Layer):
    """A cell of one's own: h' = tanh(x W + h U)."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

    def call(self, inputs: Any, states: Any) -> Any:
        """Do one time step."""
        state = keras.ops.tanh(inputs @ self.kernel + states[0] @ self.recurrent_kernel)
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "units": self.units}


def others() -> Iterator[tuple[str, keras.Model]]:
    """Yield the networks that are no plain stacks, by name."""
    layers = keras.layers
    made = {
        "Bidirectional(LSTM)": [layers.Bidirectional(layers.LSTM(8))],
        "Masking, then LSTM": [layers.Masking(), layers.LSTM(8)],
        "GRU(reset_after=False)": [layers.GRU(8, reset_after=False)],
        "RNN([LSTMCell, GRUCell])": [layers.RNN([layers.LSTMCell(8), layers.GRUCell(8)])],
        "RNN(a cell of one's own)": [layers.RNN(MinimalCell(8))],
        "LSTM(go_backwards=True)": [layers.LSTM(8, go_backwards=True)],
        "LSTM, then TimeDistributed(Dense)": [
            layers.LSTM(8, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ],
    }
    for name, inner in made.items():
        keras.utils.set_random_seed(0)
        yield name, keras.Sequential([keras.Input((8, FEATURES)), *inner])
    text = [keras.Input((8,), dtype="int32"), layers.Embedding(20, 8, mask_zero=True), layers.GRU(8)]
    yield "Embedding(mask_zero=True), then GRU", keras.Sequential(text)


def run(name: str, model: Any, x: Any = None, **options: Any) -> Deployment:
    """Return a deployment, from its folder if it is there."""
    folder = RUNS / name
    try:
        return Deployment.load(folder)
    except InputError:
        return kerasunroll.deploy(model, x, folder=folder, **options)


def main() -> None:
    """Measure what is missing, and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="T=8 and the LSTM only, and nothing is written")
    quick = parser.parse_args().quick
    cells, timesteps = (CELLS[:1], TIMESTEPS[:1]) if quick else (CELLS, TIMESTEPS)
    lines = [
        "| cell | T | file | made | size | arena | one inference | × the loop's | same |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for length in timesteps:
        for cell in cells:
            stack = StackConfig(cell=cell, input_shape=(length, FEATURES), units=(UNITS,), head=Classification(5))
            exact = {"processes": 2, "max_rounds": 12, "half_width": 0.05}
            found = run(f"{cell}-T{length}", stack, quantize=["none", "int8"], streaming=True, **exact)
            lines += [f"| {cell} | {length} | {_line(row)} |" for row in found.rows]
            if not quick:
                _write("stacks", lines)  # as far as it has come
    tables = {"stacks": lines}
    if not quick:
        tables["others"] = list(_others())
    for name, written in tables.items():
        print("\n".join(written))
        if not quick:
            _write(name, written)


def _others() -> Iterator[str]:
    yield "| network | loop | full | own-loop |"
    yield "|---|---|---|---|"
    for number, (name, model) in enumerate(others()):
        x = np.random.default_rng(0).integers(1, 20, (64, 8)) if "Embedding" in name else None
        cells = []
        for setting in ("loop", "full", "own-loop"):
            try:
                found = run(f"other-{number}-{setting}", model, x, unroll=setting, processes=1, max_rounds=10)
            except InputError as error:
                cells.append(str(error).split(":")[0].split(". ")[0])
                continue
            cells.append("; ".join(f"{row.contender.form}: {_outcome(row)}" for row in found.rows))
        yield f"| {name} | {' | '.join(cells)} |"


def _line(row: Row) -> str:
    ratio = f"{row.ratio.ratio:.2f} ({row.ratio.low:.2f} to {row.ratio.high:.2f})" if row.ratio else "–"
    same = row.figure("noise_db")
    parity = "–" if row.computes_the_same is None else "yes" if row.computes_the_same else "no"
    if row.contender.quantization == "int8" and same is not None:
        parity = f"{same:.0f} dB"
    return " | ".join(
        [
            row.name,
            _outcome(row),
            format_bytes(row.figure("file_bytes")),
            format_bytes(row.figure("arena_bytes")),
            format_seconds(row.figure(INFERENCE)),
            ratio,
            parity,
        ]
    )


def _outcome(row: Row) -> str:
    if row.is_made:
        return "yes" if row.computes_the_same else "other outputs"
    return "made, not run" if row.figure("file_bytes") else row.record.outcome.value


def _write(name: str, lines: list[str]) -> None:
    """Put a table between its two marks in the page."""
    begin, end = f"<!-- table {name} -->", f"<!-- end of table {name} -->"
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    PAGE.write_text(before + "\n".join([begin, "", *lines, "", end]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
