"""Learn to predict the next character of a text file, and continue a sentence.

python scripts/next_character.py README.md
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import kerasunroll


def main() -> None:
    """Train on the file and print what the network writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="any UTF-8 file")
    parser.add_argument("--timesteps", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--logdir", default="logs/next_character")
    arguments = parser.parse_args()

    source = kerasunroll.open_source(f"text:{arguments.text}", timesteps=arguments.timesteps)
    model = kerasunroll.gru_stack(
        source.input_shape, embedding=source.vocabulary, head=source.task, return_sequences=True, seed=0
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    callbacks = kerasunroll.comparison_callbacks(arguments.logdir)
    model.fit(source.train(8), epochs=arguments.epochs, shuffle=False, verbose=2, callbacks=callbacks)

    characters = sorted(set(arguments.text.read_text(encoding="utf-8")))
    window = list(source.x_validation[0])
    for _ in range(200):
        logits = model(np.array([window[-source.timesteps :]]))[0, -1]
        window.append(int(np.argmax(logits)))
    print("".join(characters[token] for token in window))


if __name__ == "__main__":
    main()
