"""Use the callbacks one by one on a Keras model of your own; here a bidirectional GRU on the adding problem.

python scripts/train_your_own_model.py
tensorboard --logdir logs/your_own_model
"""

import argparse

import keras

import kerasunroll
from kerasunroll.callbacks import GradientFlowLogger, GradientNormLogger, GraphLogger, StateLogger


def your_model(timesteps: int) -> keras.Model:
    """Build any model with recurrent layers; nothing in it needs kerasunroll."""
    inputs = keras.Input((timesteps, 2))
    read = keras.layers.Bidirectional(keras.layers.GRU(32, unroll=True, name="gru"), name="both_ways")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="sum")(read), name="your_model")


def main() -> None:
    """Train it with the gradients logged at every training step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=20)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--logdir", default="logs/your_own_model")
    arguments = parser.parse_args()

    source = kerasunroll.open_source("adding", timesteps=arguments.timesteps, examples=arguments.examples)
    model = your_model(source.timesteps)
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), "mse")
    callbacks = [
        GraphLogger(arguments.logdir),
        GradientNormLogger(arguments.logdir),
        GradientFlowLogger(arguments.logdir, update_freq=10),
        StateLogger(arguments.logdir, source.x_validation[:1]),
    ]
    model.fit(source.train(32), epochs=arguments.epochs, shuffle=False, verbose=2, callbacks=callbacks)


if __name__ == "__main__":
    main()
