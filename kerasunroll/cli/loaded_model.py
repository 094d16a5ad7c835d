"""The model that `check` and `convert` work on, and the batches on which parity is proven."""

import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kerasunroll.cli.model_options import ModelOptions
from kerasunroll.errors import InputError
from kerasunroll.settings import Settings

if TYPE_CHECKING:
    from kerasunroll.inspection.model_parity.made_up_batch import Batch


def load(options: ModelOptions, on_progress: Any) -> Any:
    """Return the model of a command.

    Raises:
        InputError: If it cannot be loaded.
    """
    on_progress(f"loading {options.model}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    from kerasunroll.models.files.loading import load_model

    with warnings.catch_warnings():
        # Of a model that was saved before it was trained: there is no state of the optimizer to be loaded.
        warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
        return load_model(options.model, custom_objects=options.custom_objects or ())


def batches_for(options: ModelOptions, model: Any, setting: Settings) -> "Iterator[Batch]":
    """Yield the batches on which a model is compared with its conversion: the user's, or generated ones."""
    from kerasunroll.data import open_source
    from kerasunroll.inspection.model_parity.made_up_batch import TIMESTEPS, Batch, generated_batch, has_any_length

    if options.data is not None:
        source = open_source(options.data, seed=options.seed)
        size = options.batch_size
        if size > len(source.x_train):
            raise InputError(f"{source.name} has {len(source.x_train)} training sequences, got --batch-size {size}.")
        yield Batch(source.x_train[:size], source.y_train[:size], f"{size} training sequences of {source.name}")
        return
    k = max((each for each in _flat(setting) if type(each) is int), default=None)
    timesteps = [TIMESTEPS]
    if has_any_length(model) and k is not None:
        # One number of time steps that k divides, and one that it does not.
        timesteps = [k * max(2, TIMESTEPS // k), k * max(2, TIMESTEPS // k) + 1]
    for number in timesteps:
        yield generated_batch(model, batch_size=options.batch_size, timesteps=number, seed=options.seed)


def _flat(setting: Settings) -> list[Any]:
    return list(setting) if isinstance(setting, list | tuple) else [setting]
