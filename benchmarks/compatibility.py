"""Does `unroll` change the result? Keras's recurrent layers, wrapped, masked and with every flag, against their loop.

    python benchmarks/compatibility.py [--output docs/compatibility.md] [--only LSTM] [--settings full own-full]

Each case is a model of one recurrent layer, converted from loop to full and to kerasunroll's layers, and compared in
outputs, loss, states, every gradient, before and after a training step; float64 decides: kerasunroll.inspection.parity.
Takes about half an hour.
"""

import argparse
import itertools
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from rich.progress import track

from kerasunroll.errors import KerasunrollError
from kerasunroll.inspection import parity
from kerasunroll.models.conversion.with_unroll import with_unroll
from kerasunroll.settings import parse_settings

SAMPLES, T, F, U, OUTER = 4, 5, 3, 2, 2
PAD = -9.0

CELLS = ("SimpleRNN", "LSTM", "GRU", "StackedRNNCells", "ConvLSTM1D")
WRAPPERS = ("none", "Bidirectional", "TimeDistributed")
MASKS = ("none", "right", "left", "holes")
FLAGS = ("return_sequences", "go_backwards", "zero_output_for_mask")

VERSIONS, CASES = "## Versions", "## Every case"

SIGNS = {"identical": "=", "equal to rounding": "≈", "different": "❌ **different**"}


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    cell: str
    wrapper: str
    mask: str
    flags: tuple[str, ...]

    def model(self) -> keras.Model:
        """Return the model of this case, as a loop."""
        keras.utils.set_random_seed(0)
        layer = self._layer()
        if self.wrapper == "Bidirectional":
            layer = keras.layers.Bidirectional(layer)
        sequence = (T, 4, F) if self.cell == "ConvLSTM1D" else (T, F)
        shape = (OUTER, *sequence) if self.wrapper == "TimeDistributed" else sequence
        masking = [] if self.mask == "none" else [keras.layers.Masking(PAD)]
        inner = [keras.Input(sequence), *masking, layer] if self.wrapper == "TimeDistributed" else [*masking, layer]
        parts = [keras.layers.TimeDistributed(keras.Sequential(inner))] if self.wrapper == "TimeDistributed" else inner
        if self.cell == "ConvLSTM1D" and masking:
            return self._masked_convolution(layer, shape)
        return keras.Sequential([keras.Input(shape), *parts])

    def batch(self) -> Any:
        """Return the inputs of this case, with what is masked."""
        sequence = (T, 4, F) if self.cell == "ConvLSTM1D" else (T, F)
        shape = (SAMPLES, OUTER, *sequence) if self.wrapper == "TimeDistributed" else (SAMPLES, *sequence)
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        x[~np.broadcast_to(self.shown(), x.shape[: -len(sequence) + 1])] = PAD
        return x

    def shown(self) -> Any:
        """Return the time steps that are not masked, (T,)."""
        t = np.arange(T)
        return {"none": t >= 0, "right": t < T - 2, "left": t >= 2, "holes": (t != 1) & (t != 2)}[self.mask]

    def _layer(self) -> Any:
        options = {name: True for name in FLAGS if name in self.flags}
        if self.cell == "StackedRNNCells":
            return keras.layers.RNN([keras.layers.GRUCell(U), keras.layers.LSTMCell(U)], **options)
        if self.cell == "ConvLSTM1D":
            return keras.layers.ConvLSTM1D(U, 2, **options)
        return getattr(keras.layers, self.cell)(U, **options)

    def _masked_convolution(self, layer: Any, shape: tuple[int, ...]) -> keras.Model:
        """Give the layer a mask over time, which `Masking` makes of numbers, not of images."""
        x = keras.Input(shape)
        mask = keras.ops.any(keras.ops.not_equal(x, PAD), axis=tuple(range(2, len(shape) + 1)))
        return keras.Model(x, layer(x, mask=mask))


def cases(only: str | None) -> Iterator[Case]:
    """Yield every case that Keras has."""
    subsets = [subset for size in range(len(FLAGS) + 1) for subset in itertools.combinations(FLAGS, size)]
    for cell, wrapper, mask, flags in itertools.product(CELLS, WRAPPERS, MASKS, subsets):
        if only is not None and cell != only:
            continue
        if "zero_output_for_mask" in flags and (wrapper == "Bidirectional" or mask == "none"):
            continue  # Bidirectional sets it itself; without a mask it does nothing.
        if wrapper == "Bidirectional" and "go_backwards" in flags:
            continue  # Bidirectional sets it itself.
        if wrapper == "TimeDistributed" and (mask in ("left", "holes") or (cell == "ConvLSTM1D" and mask != "none")):
            continue  # What is inside runs as without it; for images there is no mask over the inner time steps.
        yield Case(cell, wrapper, mask, flags)


def verdict(case: Case, setting: Any) -> str:
    """Return the sign of what a setting makes of a case, or why there is none."""
    loop = case.model()
    try:
        return SIGNS[parity(loop, with_unroll(loop, setting), case.batch(), training_steps=1).verdict]
    except KerasunrollError as error:
        return "–" if "kerasunroll has no such layer" in str(error) else f"refused: {str(error).splitlines()[0][:80]}"


def document(rows: list[tuple[Case, list[str]]], settings: list[str], versions: str) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Does unroll change the result?",
        "",
        f"Keras {keras.__version__}, TensorFlow {tf.__version__}; written by `benchmarks/compatibility.py`. Each row "
        f"is a model of one recurrent layer (B={SAMPLES}, T={T}) in Keras's loop, compared with the same model in "
        "other settings: outputs, loss, states, every gradient, before and after a training step; float64 decides. "
        "`full` is Keras's `unroll=True`; settings such as `own-full` and `k2` are kerasunroll's layers.",
        "",
        "| sign | meaning |",
        "|---|---|",
        "| = | the same bit for bit |",
        "| ≈ | equal to rounding |",
        f"| {SIGNS['different']} | another result |",
        "| – | kerasunroll has no such layer |",
        "",
        *(_summary(setting, [verdicts[column] for _, verdicts in rows]) for column, setting in enumerate(settings)),
        "",
        "All wrong results of Keras have one cause. Four things come together: a mask, a layer that goes backwards (as "
        "in every `Bidirectional`), all time steps returned, and zeros for the masked ones (which `Bidirectional` "
        "forces). [keras_masked_backwards_unroll.py](keras_masked_backwards_unroll.py) explains it, in the smallest "
        "script that shows it. Is your model such a case? `kerasunroll check mine.keras` tells. It is looked for "
        "by its effect, whatever the version.",
        "",
        versions.strip(),
        "",
        CASES,
        "",
        "| cell | wrapper | mask | flags | " + " | ".join(settings) + " |",
        "|---" * (4 + len(settings)) + "|",
    ]
    for case, verdicts in rows:
        flags = ", ".join(f"`{flag}`" for flag in case.flags) or "–"
        lines.append(f"| {case.cell} | {case.wrapper} | {case.mask} | {flags} | " + " | ".join(verdicts) + " |")
    return "\n".join(lines) + "\n"


def _versions(page: Path) -> str:
    """Return the section that others wrote: benchmarks/version_table.py its table."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return VERSIONS + text.split(VERSIONS)[1].split(CASES)[0] if VERSIONS in text else ""


def _summary(setting: str, verdicts: list[str]) -> str:
    right = sum(verdict in (SIGNS["identical"], SIGNS["equal to rounding"]) for verdict in verdicts)
    wrong = verdicts.count(SIGNS["different"])
    return f"- **{setting}**: {right + wrong} cases compared, {right} right, {wrong} wrong."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/compatibility.md"))
    parser.add_argument("--only", choices=CELLS, help="one cell")
    parser.add_argument("--settings", nargs="+", default=["full", "own-full"], help="what the loop is compared with")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for case in track(list(cases(options.only)), "comparing"):
        rows.append((case, [verdict(case, parse_settings(setting)) for setting in options.settings]))
        keras.backend.clear_session()
    options.output.write_text(document(rows, options.settings, _versions(options.output)))
    print(options.output)


if __name__ == "__main__":
    main()
