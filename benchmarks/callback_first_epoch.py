"""What the callbacks cost once: the time to the end of the first epoch with all of them, over that of a bare `fit`.

    python benchmarks/callback_first_epoch.py [--runs 3]

Each run is a process of its own, since compiling is what is measured; with and without callbacks take turns. The
pictures that are drawn when training has ended are not in it.
"""

import argparse
import subprocess
import sys

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kerasunroll.units import format_ratio, format_seconds

PROGRAM = """
import os, sys, tempfile, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"
import keras, kerasunroll
cell, unroll, logged = sys.argv[1:]
source = kerasunroll.open_source("digits")
factory = {"lstm": kerasunroll.lstm_stack, "gru": kerasunroll.gru_stack}[cell]
model = factory(input_shape=source.input_shape, head=source.task, unroll=unroll == "full")
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
callbacks = kerasunroll.comparison_callbacks(tempfile.mkdtemp(), strict=True) if logged == "logged" else []
start = time.perf_counter()
clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(time.perf_counter() - start))
model.fit(source.train(32), epochs=1, shuffle=False, verbose=0, callbacks=[*callbacks, clock])
"""

NETWORKS = (("lstm", "full"), ("gru", "full"), ("lstm", "loop"))


def seconds(cell: str, unroll: str, logged: str) -> float:
    """Return how long one epoch of digits takes in a fresh process, tracing and compiling included."""
    arguments = [sys.executable, "-c", PROGRAM, cell, unroll, logged]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each kind")
    arguments = parser.parse_args()
    found: dict[tuple[str, str, str], list[float]] = {}
    for _ in track(range(arguments.runs), "runs"):
        for cell, unroll in NETWORKS:
            for logged in ("bare", "logged"):
                found.setdefault((cell, unroll, logged), []).append(seconds(cell, unroll, logged))
    table = Table(title="to the end of the first epoch of digits, medians", title_justify="left")
    for column in ("network", "bare", "with comparison_callbacks", "ratio", "of the runs"):
        table.add_column(column)
    for cell, unroll in NETWORKS:
        bare, logged = (np.array(found[cell, unroll, kind]) for kind in ("bare", "logged"))
        ratios = logged / bare
        table.add_row(
            f"{cell} {unroll}",
            format_seconds(float(np.median(bare))),
            format_seconds(float(np.median(logged))),
            format_ratio(float(np.median(logged) / np.median(bare))),
            f"{ratios.min():.2f} to {ratios.max():.2f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
