"""Draw the two pictures of the documentation: a gradient that vanishes through time, and one that survives.

A SimpleRNN and an LSTM (whose forget gates start open, Keras's default `unit_forget_bias=True`) learn the adding
problem over 200 time steps. Logs for TensorBoard go to `logs/`, the pictures to `docs/images/`:

    python scripts/gradient_pictures.py
"""

import argparse
import warnings
from pathlib import Path

import kerasunroll
from kerasunroll.callbacks import GradientFlowLogger
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.figures.flow import flow_heatmap

NETWORKS = {"simple_rnn": kerasunroll.simple_rnn_stack, "lstm": kerasunroll.lstm_stack}


def main() -> None:
    """Train both networks and draw their pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=200)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--logdir", type=Path, default=Path("logs/gradient_pictures"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()

    source = kerasunroll.open_source("adding", timesteps=arguments.timesteps, examples=arguments.examples)
    arguments.images.mkdir(parents=True, exist_ok=True)
    for name, stack in NETWORKS.items():
        model = stack(source.input_shape, units=(64,), head=source.task, seed=0)
        model.compile("adam", "mse")
        flow = GradientFlowLogger(arguments.logdir / name, update_freq=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KerasunrollWarning)  # the SimpleRNN's flow is meant to be dead
            model.fit(source.train(32), epochs=arguments.epochs, shuffle=False, callbacks=[flow])
        for history in flow.history:
            flow_heatmap(history).savefig(arguments.images / f"gradient_{name}.png")


if __name__ == "__main__":
    main()
