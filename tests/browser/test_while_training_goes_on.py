"""What TensorBoard shows of a `fit` that has not ended yet, asked over HTTP as its page does."""

import urllib.parse

import keras
import numpy as np
import pytest
from serving import answer, eventually, serving

from kerasunroll import Classification, comparison_callbacks, gru_stack

TIMESTEPS, FEATURES, CLASSES, EPOCHS = 6, 2, 3, 4
TRAINING_STEPS = 8
"""In an epoch."""

TAGS = {
    "train": [
        "epoch_loss",
        "batch_loss",
        "gradient_norm/global",
        "memory/process_bytes",
        "time/step_seconds",
        "gradient_through_time/gru_1/vanished_share",
    ],
    "validation": ["epoch_loss"],
}


class LookMeanwhile(keras.callbacks.Callback):
    """At the end of each epoch, waits until TensorBoard shows it under every tag."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.seen: list[tuple[int, str, str]] = []

    def on_epoch_end(self, epoch, logs=None):
        for run, tags in TAGS.items():
            for tag in tags:
                # Gradients through time are logged in the first training step of each epoch here.
                done = epoch * TRAINING_STEPS + 1 if "through_time" in tag else (epoch + 1) * TRAINING_STEPS
                last = epoch if tag.startswith("epoch") else done

                def shows_the_epoch(run=run, tag=tag, last=last) -> bool:
                    query = urllib.parse.urlencode({"run": run, "tag": tag})
                    available = answer(self.url + "data/plugin/scalars/tags")
                    if tag not in available.get(run, {}):
                        return False
                    return answer(f"{self.url}data/plugin/scalars/scalars?{query}")[-1][1] >= last

                eventually(shows_the_epoch)
                self.seen.append((epoch, run, tag))


@pytest.mark.parametrize("fast", ["true", "false"])
def test_every_curve_grows_while_training_goes_on(tmp_path, fast):
    """Without the fast loader, TensorBoard follows one file per folder."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4 * TRAINING_STEPS, TIMESTEPS, FEATURES)).astype("float32")
    y = rng.integers(CLASSES, size=len(x))
    model = gru_stack((TIMESTEPS, FEATURES), units=(3,), head=Classification(CLASSES))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callbacks = comparison_callbacks(tmp_path / "logs", update_freq=1, strict=True)
    for callback in callbacks:
        if type(callback).__name__ == "GradientFlowLogger":
            callback.update_freq = TRAINING_STEPS
    (tmp_path / "logs").mkdir()
    options = (f"--load_fast={fast}", "--reload_interval", "1")
    with serving(tmp_path / "logs", tmp_path / "output.txt", *options) as url:
        look = LookMeanwhile(url)
        model.fit(x, y, batch_size=4, epochs=EPOCHS, validation_data=(x, y), verbose=0, callbacks=[*callbacks, look])
    assert len(look.seen) == EPOCHS * sum(map(len, TAGS.values()))
