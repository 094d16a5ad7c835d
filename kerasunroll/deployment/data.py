"""The sequences on which parity is proven and int8 is calibrated."""

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from kerasunroll.deployment.contender import Contender
from kerasunroll.inspection.model_parity.made_up_batch import generated_batch

SEQUENCES: Final = 64
FILE: Final = "given/sequences.npz"


def sequences_for(contender: Contender, model: keras.Model) -> Any:
    """Return nested arrays of at least one batch: those that were given, or made-up ones.

    Args:
        contender: `Contender`, whose `data` is the path of a file of `save_sequences`.
        model: A built `keras.Model`.

    Raises:
        InputError: If nothing can be made up for the model.
    """
    if contender.data is None:
        size = -(-SEQUENCES // contender.batch_size) * contender.batch_size
        timesteps = contender.stack.timesteps
        options = {} if timesteps is None else {"timesteps": timesteps}
        return generated_batch(model, batch_size=size, seed=contender.seed, **options).x
    with np.load(contender.data) as file:
        leaves = [file[f"arr_{place}"] for place in range(len(file.files))]
    struct = getattr(model, "_inputs_struct", None)
    return leaves[0] if len(leaves) == 1 else keras.tree.pack_sequence_as(struct, leaves)


def save_sequences(x: Any, folder: Path) -> str:
    """Write nested arrays into the folder of a comparison; return the file's name in it."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, *keras.tree.flatten(x))
    return FILE
