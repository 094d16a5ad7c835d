"""Write the tables of docs/deployment.md: what converts, what it costs, what is tried besides, and a model that ships.

    python scripts/deployment_tables.py --run            # measure first, on cores that do nothing else
    python scripts/deployment_tables.py                  # write the page from what has been measured
    python scripts/deployment_tables.py --run --quick    # a small part, to see that it works; only printed

A run that was interrupted goes on where it was. What was measured is kept in docs/data/deployment.tar.xz, so that the
tables can be drawn again without measuring.

A long module: a third of it is the networks that are tried.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from findings_parts.kept import pack, unpacked

import kerasunroll
from kerasunroll import Classification
from kerasunroll.deployment.formats.running import open_file
from kerasunroll.deployment.plan import PLAN_FILE
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.rows import Row
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.models import StackConfig, load_model
from kerasunroll.units import format_bytes, format_seconds

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "deployment.md"
KEPT: Final = DOCS / "data" / "deployment.tar.xz"
SHIPPED: Final = "shipped.json"
UNITS: Final = 32
FEATURES: Final = 3
SETTINGS: Final = ("loop", "full", "own-loop")
EXACT: Final = {"processes": 2, "max_rounds": 10, "half_width": 0.05}
ROUGH: Final = {"processes": 1, "max_rounds": 10, "half_width": 1}  # where only what converts is asked


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Args:
        cells: The cells.
        timesteps: The lengths of sequences.
        others: Integer or `None`. How many of the other networks; `None` for all.
        epochs: Integer. How long the model that ships is trained.
    """

    cells: tuple[str, ...] = ("lstm", "gru", "simple_rnn")
    timesteps: tuple[int, ...] = (8, 32, 128)
    others: int | None = None
    epochs: int = 15


QUICK: Final = Extent(("lstm",), (8,), 1, 1)


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


def measure(extent: Extent, runs: Path) -> None:
    """Measure what is missing, each run in a folder of its own."""
    for length in extent.timesteps:
        for cell in extent.cells:
            stack = StackConfig(cell=cell, input_shape=(length, FEATURES), units=(UNITS,), head=Classification(5))
            options = {"quantize": ["none", "float16", "int8"], "streaming": True, "unroll": SETTINGS}
            deployed(runs / f"{cell}-T{length}", stack, **options, **EXACT)
    for number, (name, model) in enumerate(list(others())[: extent.others]):
        x = np.random.default_rng(0).integers(1, 20, (64, 8)) if "Embedding" in name else None
        deployed(runs / f"other-{number}", model, x, unroll=SETTINGS, **ROUGH)
    ship(extent.epochs, runs)


def deployed(folder: Path, model: Any, x: Any = None, **options: Any) -> Deployment:
    """Return a deployment, or go on with it."""
    if (folder / PLAN_FILE).exists():
        how = {name: options[name] for name in EXACT}
        deployment = kerasunroll.deploy(resume=folder, **how)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        deployment = kerasunroll.deploy(model, x, folder=folder, **options)
    if deployment.missing:
        sys.exit("Interrupted. The same command goes on where it was.")
    return deployment


def ship(epochs: int, runs: Path) -> None:
    """Train kerasunroll's loop on digits, deploy it in other settings, and see what the files say of unseen digits."""
    folder, trained = runs / "shipped", runs / "trained.keras"
    source = kerasunroll.open_source("digits")
    if not trained.exists():
        model = kerasunroll.lstm_stack(source.input_shape, UNITS, "own-loop", source.task, seed=0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
        model.fit(source.train(32), epochs=epochs, shuffle=False, verbose=2)
        model.save(trained)
    model, x, y = load_model(trained), source.x_validation, source.y_validation
    options = {"unroll": ["own-loop", "loop", "full"], "quantize": ["none", "int8"]}
    deployment = deployed(folder, model, x, **options, **EXACT)
    expected = np.asarray(model(x, training=False))
    found = {"epochs": epochs, "sequences": len(x), "accuracy": _accuracy(expected, y), "files": {}}
    for row in deployment.rows:
        if row.is_made:
            run = open_file(row.contender, deployment.file(row.name))
            got = np.concatenate([run([x[at : at + 1]])[0] for at in range(len(x))])
            difference = float(np.abs(expected - got).max())
            found["files"][row.name] = {"accuracy": _accuracy(got, y), "largest_difference": difference}
    (folder / SHIPPED).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _accuracy(outputs: Any, y: Any) -> float:
    return float(np.mean(outputs.argmax(axis=1) == np.asarray(y).ravel()))


def tables(runs: Path) -> dict[str, list[str]]:
    """Return the lines of each table from a folder of runs."""
    found = {path.parent.name: Deployment.load(path.parent) for path in runs.glob(f"*/{PLAN_FILE}")}
    # By length, then in the order of the cells.
    order = [f"{cell}-T{length}" for length in Extent().timesteps for cell in Extent().cells]
    stacks = {name: found[name] for name in order if name in found}
    return {
        "stacks": [*_conditions(stacks.values()), "", *_stacks(stacks)],
        "others": list(_others(found)),
        "shipped": list(_shipped(found["shipped"], json.loads((runs / "shipped" / SHIPPED).read_bytes()))),
    }


def _conditions(stacks: Iterable[Deployment]) -> Iterator[str]:
    records = [record for each in stacks for record in each.records]
    facts = records[0].environment
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    runtime = next(record.path.partition(", by ")[2] for record in records if record.path and ", by " in record.path)
    newest = max(record.created for record in records)
    yield (
        f"Measured {newest:%Y-%m-%d} with {runtime} on {facts.cpu}, {facts.usable_cores:g} of {facts.logical_cores} "
        f"cores usable; {versions}."
    )


def _stacks(stacks: dict[str, Deployment]) -> Iterator[str]:
    yield "| cell | T | file | made | size | arena | one inference | × the loop's | same |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, deployment in stacks.items():
        cell, length = name.split("-T")
        yield from (f"| {cell} | {length} | {_line(row)} |" for row in deployment.rows)


def _others(found: dict[str, Deployment]) -> Iterator[str]:
    yield f"| network | {' | '.join(SETTINGS)} |"
    yield "|---|---|---|---|"
    for number, (name, _) in enumerate(others()):
        if deployment := found.get(f"other-{number}"):
            cells = [
                "; ".join(
                    f"{row.contender.form}: {_outcome(row)}" for row in deployment.rows if row.contender.setting == each
                )
                for each in SETTINGS
            ]
            yield f"| {name} | {' | '.join(cells)} |"


def _shipped(deployment: Deployment, found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Trained as `own-loop` for {found['epochs']} epochs, the model tells {found['accuracy']:.1%} of "
        f"{found['sequences']} unseen digits. What its files say of the same digits:"
    )
    yield ""
    yield "| shipped as | size | one inference | × own-loop's | largest difference | right |"
    yield "|---|---|---|---|---|---|"
    for row in deployment.rows:
        if file := found["files"].get(row.name):
            size, seconds = format_bytes(row.figure("file_bytes")), format_seconds(row.figure(INFERENCE))
            difference, right = f"{file['largest_difference']:.0e}", f"{file['accuracy']:.1%}"
            yield f"| {row.name} | {size} | {seconds} | {_ratio(row)} | {difference} | {right} |"


def _line(row: Row) -> str:
    noise = row.figure("noise_db")
    parity = "–" if row.computes_the_same is None else "yes" if row.computes_the_same else "no"
    if row.contender.quantization != "none" and noise is not None:
        parity = f"{noise:.0f} dB"
    return " | ".join(
        [
            row.name,
            _outcome(row),
            format_bytes(row.figure("file_bytes")),
            format_bytes(row.figure("arena_bytes")),
            format_seconds(row.figure(INFERENCE)),
            _ratio(row),
            parity,
        ]
    )


def _ratio(row: Row) -> str:
    return f"{row.ratio.ratio:.2f} ({row.ratio.low:.2f} to {row.ratio.high:.2f})" if row.ratio else "–"


def _outcome(row: Row) -> str:
    if row.is_made:
        return "yes" if row.computes_the_same else "other outputs"
    return "made, not run" if row.figure("file_bytes") else row.record.outcome.value


def filled(page: str, written: dict[str, list[str]]) -> str:
    """Return a page with its tables, each between two marks."""
    for name, lines in written.items():
        begin, end = f"<!-- table {name} -->", f"<!-- end of table {name} -->"
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = before + "\n".join([begin, "", *lines, "", end]) + after
    return page


def kept_tables(archive: Path) -> dict[str, list[str]]:
    """Return the lines of each table from what was kept."""
    with unpacked(archive) as runs:
        return tables(runs)


def main() -> None:
    """Measure what is missing if that is asked for, and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="measure what is missing first")
    parser.add_argument("--quick", action="store_true", help="a small part; tables are printed, no page is written")
    parser.add_argument("--runs", type=Path, default=Path("logs/deployment_tables"), help="folder of the runs")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not what was kept")
    arguments = parser.parse_args()
    archive = arguments.runs / KEPT.name if arguments.quick else KEPT
    if arguments.run:
        measure(QUICK if arguments.quick else Extent(), arguments.runs)
        # The files for devices are left out.
        pack((path for path in arguments.runs.iterdir() if path.is_dir()), archive, (PLAN_FILE, RECORDS, SHIPPED))
    written = kept_tables(archive)
    if arguments.quick:
        print("\n".join(line for lines in written.values() for line in [*lines, ""]))
        return
    page = PAGE.read_text(encoding="utf-8")
    if not arguments.check:
        PAGE.write_text(filled(page, written), encoding="utf-8")
    elif filled(page, written) != page:
        sys.exit(f"{PAGE} is not what {KEPT} gives. Run scripts/deployment_tables.py without --check.")


if __name__ == "__main__":
    main()
