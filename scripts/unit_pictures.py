"""Draw every unit and forget gate of an LSTM, and their gradients: the heatmaps of the documentation.

The network learns the adding problem: each sequence has two marked numbers, whose sum is to be told at its end. Logs go
to `logs/`, pictures to `docs/images/`:

    python scripts/unit_pictures.py
"""

import argparse
from pathlib import Path

import kerasunroll
from kerasunroll.callbacks import MetricsLogger
from kerasunroll.inspection import gradients_through_time, hidden_states

WHAT = ("h", "c", "forget_gate")


def main() -> None:
    """Train the network and draw its units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=40)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--logdir", type=Path, default=Path("logs/unit_pictures"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()

    source = kerasunroll.open_source("adding", timesteps=arguments.timesteps, examples=arguments.examples)
    model = kerasunroll.lstm_stack(source.input_shape, units=(16,), head=source.task, seed=0)
    model.compile("adam", "mse")
    log = MetricsLogger(arguments.logdir)
    model.fit(source.train(32), epochs=arguments.epochs, shuffle=False, verbose=2, callbacks=[log])

    x, y = source.x_validation[:32], source.y_validation[:32]
    arguments.images.mkdir(parents=True, exist_ok=True)
    hidden_states(model, x).plot(what=WHAT, sample=0).savefig(arguments.images / "states_per_unit.png")
    gradients = gradients_through_time(model, x, y, per_unit=True, weights=False)
    gradients.plot(what=WHAT).savefig(arguments.images / "gradients_per_unit.png")


if __name__ == "__main__":
    main()
