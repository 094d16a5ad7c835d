"""The model that was passed: a Keras model, a function that makes one, a `StackConfig`, or a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras

from kerasunroll.api.request.data import Data
from kerasunroll.errors import InputError
from kerasunroll.inspection.model.batches import as_batch
from kerasunroll.models import SavedModel, StackConfig
from kerasunroll.models.building import has_call, is_built
from kerasunroll.models.keras_errors import in_one_sentence
from kerasunroll.models.shipping.facts import given_model
from kerasunroll.models.shipping.pickles import pickled, write_pickled
from kerasunroll.models.shipping.recipe import FunctionRecipe, recipe_of
from kerasunroll.settings import Settings

FILE: Final = "given/model.pkl"


@dataclass(frozen=True)
class Network:
    """The network that was passed.

    Args:
        stack: `StackConfig` or `SavedModel`: what stands in a `TrainingConfig`.
        content: Bytes. What goes into `given/model.pkl`; `None` where nothing does.
    """

    stack: StackConfig | SavedModel
    content: bytes | None = None

    def write(self, folder: Path) -> None:
        """Write what a worker makes the model of."""
        if self.content is not None:
            write_pickled(folder / FILE, self.content)


def network_of(model: Any, data: Data, first: Settings, *, seed: int) -> Network:
    """Return the network that was passed to `compare`, seen to fit the data.

    Args:
        model: What was passed.
        data: `Data`.
        first: The first setting: what a function is called with, to see what it makes.
        seed: Integer. Keras's seed, for a function.

    Raises:
        InputError: If it is no model, is not compiled, has no recurrent layer, cannot be sent to another process, or
            does not take the data.
    """
    if isinstance(model, StackConfig):
        return Network(_fitting(model, data))
    if isinstance(model, str | Path):
        return Network(SavedModel.read(model))
    if isinstance(model, keras.Model):
        return _of_model(model, data)
    if callable(model):
        return _of_function(model, data, first, seed)
    raise InputError(
        "Expected a compiled keras.Model, a function build(unroll) that returns one, a StackConfig or the path of a "
        f".keras file, got {type(model).__name__}."
    )


def _fitting(stack: StackConfig, data: Data) -> StackConfig:
    given = tuple(keras.tree.flatten(data.batch[0])[0].shape[1:])
    expected = stack.input_shape
    if len(given) != len(expected) or any(want not in (None, got) for want, got in zip(expected, given, strict=True)):
        raise InputError(
            f"The data do not fit the network: {stack.name} takes sequences of shape {expected}, got {given}. Give "
            f"input_shape={given}."
        )
    if stack.head is None:
        raise InputError(f"{stack.name} has no head, so that there is nothing to learn. Give it one.")
    return stack


def _of_model(model: keras.Model, data: Data) -> Network:
    _check_compiled(model, "model.compile(optimizer, loss)")
    _build(model, data)
    recipe = recipe_of(model)
    content = pickled(f"model '{model.name}'", recipe)
    _check_fits(recipe.model(), data)
    return Network(given_model(model, FILE, content, x=data.batch[0]), content)


def _of_function(function: Any, data: Data, first: Settings, seed: int) -> Network:
    recipe = FunctionRecipe.of(function, seed)
    content = pickled(f"function '{getattr(function, '__name__', type(function).__name__)}'", recipe)
    model = recipe.build(first)
    _check_compiled(model, "model.compile(optimizer, loss) before the function returns the model")
    _build(model, data)
    described = given_model(model, FILE, content, x=data.batch[0])
    _check_fits(model, data)
    return Network(described, content)


def _check_compiled(model: keras.Model, how: str) -> None:
    if not model.compiled:
        raise InputError(f"Model '{model.name}' is not compiled, so it has no loss to train with. Call {how}.")


def _build(model: keras.Model, data: Data) -> None:
    if not is_built(model):
        _told(model, lambda: as_batch(model, *data.batch[:1]))


def _check_fits(model: keras.Model, data: Data) -> None:
    """See whether the model takes a batch, and its loss the outputs. The model is nobody's any more afterwards."""
    if not has_call(model):
        return
    x, y, sample_weight = (*data.batch, None, None)[:3]

    def once() -> None:
        inputs, targets, weights = as_batch(model, x, y, sample_weight)
        outputs = model(inputs, training=False)
        if type(model).train_step is keras.Model.train_step:
            model.compute_loss(inputs, targets, outputs, weights, training=False)

    _told(model, once)
    if (validation := data.validation_batch) is not None:
        _told(model, lambda: as_batch(model, validation[0]))


def _told(model: keras.Model, work: Any) -> None:
    try:
        work()
    except InputError:
        raise
    except Exception as error:  # Keras's, TensorFlow's, or the user's own code's
        raise InputError(f"Model '{model.name}' does not take the data: {in_one_sentence(error)}") from error
