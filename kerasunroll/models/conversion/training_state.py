"""Copy what a model has learned about its training: which weights are trained, and all that `compile` was given."""

from typing import Any

import keras

from kerasunroll.compatibility import trained_variables
from kerasunroll.errors import InputError
from kerasunroll.models.keras_errors import in_one_sentence


def copy_training_state(model: Any, copy: Any, layers: dict[Any, Any], variables: list[tuple[Any, Any]]) -> None:
    """Bring a copy of a model to the same point of its training.

    Args:
        model: A `keras.Model`.
        copy: Its copy.
        layers: Dict from the layers of `model`, each before those inside, to those of `copy`.
        variables: List of tuples: a variable of `model`, and that of `copy`.

    Raises:
        InputError: If the model's `compile` is of its own and cannot be repeated, or its optimiser trains variables
            that are not the model's.
    """
    # Keras trains what was trainable when the model was compiled.
    _copy_trainable({**{layer: layer.trainable for layer in layers}, **compiled_flags(model)}, layers)
    _compile(model, copy)
    _copy_trainable({layer: layer.trainable for layer in layers}, layers)
    for variable, its_copy in variables:
        if its_copy.trainable != variable.trainable:
            its_copy.trainable = variable.trainable
    if model.compiled:
        _copy_optimizer_state(model, copy, {id(variable): its_copy for variable, its_copy in variables})


def optimizers_of(model: Any) -> list[Any]:
    """Return the optimiser of a model, and the one that it wraps, if there are any."""
    optimizer = getattr(model, "optimizer", None)
    inner = getattr(optimizer, "inner_optimizer", None)
    return [each for each in (optimizer, inner) if each is not None]


def compiled_flags(model: Any) -> dict[Any, bool]:
    """Return which layers were trainable when a model was compiled: Keras trains these."""
    return getattr(model, "_compiled_trainable_state", {}) if model.compiled else {}


def _copy_trainable(flags: dict[Any, bool], layers: dict[Any, Any]) -> None:
    for layer, copy in layers.items():
        copy.trainable = flags[layer]


def _compile(model: Any, copy: Any) -> None:
    if not model.compiled:
        return
    if type(model).compile is not keras.Model.compile:
        _compile_in_its_own_way(model, copy)
        return
    # What compile was given, as it was given: a loss may be any function, which no configuration could hold.
    arguments = dict(model._compile_config.config)
    for key in ("metrics", "weighted_metrics"):
        arguments[key] = keras.tree.map_structure(_copied_metric, arguments[key])
    arguments["optimizer"] = _anew(model.optimizer)
    arguments["run_eagerly"] = model.run_eagerly
    arguments["steps_per_execution"] = model.steps_per_execution
    arguments["jit_compile"] = model.jit_compile
    copy.compile(**arguments, auto_scale_loss=False)


def _compile_in_its_own_way(model: Any, copy: Any) -> None:
    own = type(model).compile_from_config is not keras.Model.compile_from_config
    if not own:
        raise InputError(
            f"Model '{model.name}' is compiled by {type(model).__name__}.compile, which cannot be repeated. "
            "Give the class get_compile_config and compile_from_config, or pass the model before it is compiled."
        )
    copy.compile_from_config(model.get_compile_config())


def _copied_metric(metric: Any) -> Any:
    return _anew(metric) if isinstance(metric, keras.metrics.Metric) else metric


def _anew(configured: Any) -> Any:
    """Return an optimiser or a metric made anew from its configuration."""
    if configured is None:
        return None
    try:
        return type(configured).from_config(configured.get_config())
    except Exception as error:  # whatever the code of the user's classes raises
        raise InputError(
            f"Keras cannot rebuild the {type(configured).__name__} that the model is compiled with from its "
            f"configuration: {in_one_sentence(error)}"
        ) from error


def _copy_optimizer_state(model: Any, copy: Any, variables: dict[int, Any]) -> None:
    optimizer, its_copy = model.optimizer, copy.optimizer
    if optimizer is None or not optimizer.built:
        return
    try:
        trained = [variables[id(variable)] for variable in trained_variables(optimizer)]
    except KeyError:
        raise InputError(
            f"The optimiser of model '{model.name}' trains variables that are not the model's. Compile the model with "
            "an optimiser of its own."
        ) from None
    if not its_copy.built:
        its_copy.build(trained)
    for slot, slot_copy in zip(optimizer.variables, its_copy.variables, strict=True):
        slot_copy.assign(slot)
