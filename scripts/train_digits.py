"""Train the same LSTM as a loop and fully unrolled on handwritten digits, and look at both in TensorBoard.

python scripts/train_digits.py
tensorboard --logdir logs/train_digits
"""

import argparse

import keras

import kerasunroll


def main() -> None:
    """Train every setting from the same weights on the same batches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=64, help="a divisor of 64: 8 reads the digits row by row")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--logdir", default="logs/train_digits")
    arguments = parser.parse_args()

    source = kerasunroll.open_source("digits", timesteps=arguments.timesteps)
    models = kerasunroll.variants(
        kerasunroll.lstm_stack, ["loop", "full"], input_shape=source.input_shape, head=source.task, seed=0
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, model in models.items():
        print(f"\n{name}")
        model.compile("adam", loss, metrics=["accuracy"])
        model.fit(
            source.train(32),
            validation_data=source.validation(32),
            epochs=arguments.epochs,
            shuffle=False,  # the source has shuffled them
            verbose=2,
            callbacks=kerasunroll.comparison_callbacks(f"{arguments.logdir}/{name}"),
        )


if __name__ == "__main__":
    main()
