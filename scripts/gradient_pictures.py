"""Draw the pictures of the documentation: gradients that vanish on their way back through time, and one that survives.

Three networks learn the adding problem over 200 time steps: a SimpleRNN; an LSTM as Keras makes it, with a forget bias
of 1; and an LSTM whose forget gates start as open as the sequence is long, with a bias of log(T - 1) (Tallec &
Ollivier, "Can recurrent neural networks warp time?", 2018). Logs go to `logs/`, pictures to `docs/images/`:

    python scripts/gradient_pictures.py
"""

import argparse
import math
import warnings
from pathlib import Path

import keras

import kerasunroll
from kerasunroll.callbacks import GradientFlowLogger
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.figures.flow import flow_heatmap


def open_forget_gates(model: keras.Model, bias: float) -> None:
    """Set the forget biases of the LSTM; Keras keeps the biases of the four gates in one vector, forget second."""
    cell = model.get_layer("lstm_1").cell
    values = cell.bias.numpy()
    values[cell.units : 2 * cell.units] = bias
    cell.bias.assign(values)


def main() -> None:
    """Train the networks and draw their pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=200)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--logdir", type=Path, default=Path("logs/gradient_pictures"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()

    source = kerasunroll.open_source("adding", timesteps=arguments.timesteps, examples=arguments.examples)
    network = {"input_shape": source.input_shape, "units": (64,), "head": source.task, "seed": 0}
    models = {name: kerasunroll.lstm_stack(**network) for name in ("lstm_forget_bias_1", "lstm_open_forget_gates")}
    open_forget_gates(models["lstm_open_forget_gates"], math.log(arguments.timesteps - 1))
    models["simple_rnn"] = kerasunroll.simple_rnn_stack(**network)
    arguments.images.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        model.compile("adam", "mse")
        flow = GradientFlowLogger(arguments.logdir / name, update_freq=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KerasunrollWarning)  # two of the flows are meant to die
            model.fit(source.train(32), epochs=arguments.epochs, shuffle=False, verbose=2, callbacks=[flow])
        flow_heatmap(flow.history[0], quantities=("h", "x")).savefig(arguments.images / f"gradient_{name}.png")


if __name__ == "__main__":
    main()
