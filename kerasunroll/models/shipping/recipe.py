"""Take a compiled Keras model apart into what can be sent to another process, and put it together there.

A `.keras` file does not hold a loss that is a lambda, a class of a notebook or the globals that a function uses. Here
the configuration is Keras's, and everything in it that is the user's goes along as the object that it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import keras
import numpy as np

from kerasunroll.compatibility import updates_done
from kerasunroll.errors import InputError
from kerasunroll.models.conversion.adapted import give_adapted_state, vocabulary_of
from kerasunroll.models.conversion.cloning import able_to_rebuild, description, layers_of, made_from, own_variables
from kerasunroll.models.conversion.training_state import compiled_flags, optimizers_of
from kerasunroll.models.conversion.with_unroll import with_unroll
from kerasunroll.models.keras_errors import in_one_sentence
from kerasunroll.settings import Settings


@dataclass(frozen=True)
class ModelRecipe:
    """A compiled model, in objects that can be pickled.

    Args:
        node: Dict. Keras's configuration of the model.
        compiled: Dict. What `compile` was given; or what `get_compile_config` returned, where it is the class's own;
            empty where it is not compiled.
        objects: Dict. The classes and functions in it that are not Keras's.
        dtype_policy: String. The model's.
        names: List of strings: the names of its layers, itself first.
        masking: List of booleans: whether each passes a mask on.
        trainable: List of pairs of booleans for each: when it was compiled, and now.
        values: List of arrays: the variables, those of a layer before those of the layers inside.
        vocabularies: List of what each layer has learned to look up, `None` for most.
        own_compile: Boolean. Whether the class has a `compile` of its own.
        slots: List of arrays: the variables of the optimiser; empty where it has not begun.
    """

    node: dict[str, Any]
    compiled: dict[str, Any]
    objects: dict[str, Any]
    dtype_policy: str
    names: list[str]
    masking: list[bool]
    trainable: list[tuple[bool, bool]]
    values: list[Any]
    vocabularies: list[list[Any] | None]
    own_compile: bool
    slots: list[Any]

    def build(self, unroll: Settings) -> keras.Model:
        """Return the model in a setting, compiled, with the weights that it had."""
        return with_unroll(self.model(), unroll)

    def model(self) -> keras.Model:
        """Return the model as it was.

        Raises:
            InputError: If Keras makes another model of its configuration.
        """
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.dtype_policy)
        try:
            with keras.saving.custom_object_scope(self.objects):
                model = made_from(self.node, self.objects)
                layers = layers_of(model)
                self._check(model, layers)
                for layer, name, masking in zip(layers, self.names, self.masking, strict=True):
                    layer.name, layer.supports_masking = name, masking
                for variable, value in zip(_variables(layers), self.values, strict=True):
                    variable.assign(value)
                for layer, vocabulary in zip(layers, self.vocabularies, strict=True):
                    give_adapted_state(layer, vocabulary)
                self._compile(model, layers)
        finally:
            keras.config.set_dtype_policy(policy)
        return model

    def _check(self, model: Any, layers: list[Any]) -> None:
        shapes = [tuple(variable.shape) for variable in _variables(layers)]
        expected = [tuple(np.shape(value)) for value in self.values]
        if len(layers) != len(self.names) or shapes != expected:
            raise InputError(
                f"Keras rebuilds model '{self.names[0]}' ({type(model).__name__}) from its configuration as another "
                f"one: expected {len(self.names)} layers with {len(expected)} variables, got {len(layers)} with "
                f"{len(shapes)}. Pass a function build(unroll) that makes and compiles the model instead."
            )

    def _compile(self, model: Any, layers: list[Any]) -> None:
        for layer, (when_compiled, _) in zip(layers, self.trainable, strict=True):
            layer.trainable = when_compiled
        if not self.compiled:
            pass
        elif self.own_compile:
            model.compile_from_config(self.compiled)
        else:
            model.compile(**_revived(self.compiled), auto_scale_loss=False)
        if self.slots:  # of what was trainable when it was compiled
            model.optimizer.build(model.trainable_variables)
            for variable, value in zip(model.optimizer.variables, self.slots, strict=True):
                variable.assign(value)
        for layer, (_, now) in zip(layers, self.trainable, strict=True):
            layer.trainable = now


@dataclass(frozen=True)
class FunctionRecipe:
    """A function that makes and compiles a model.

    Args:
        function: Function of a setting.
        seed: Integer. Keras's seed while it is called, so that all settings begin with the same weights.
        dtype_policy: String. The global policy where it was passed.
        floatx: String. Keras's type of numbers, likewise.
    """

    function: Any
    seed: int
    dtype_policy: str
    floatx: str

    @classmethod
    def of(cls, function: Any, seed: int) -> "FunctionRecipe":
        """Return the recipe of a function, to be called as it would be here."""
        return cls(function, seed, keras.config.dtype_policy().name, keras.config.floatx())

    def build(self, unroll: Settings) -> keras.Model:
        """Return the model in a setting.

        Raises:
            InputError: If the function fails, or returns no compiled Keras model.
        """
        keras.config.set_floatx(self.floatx)
        keras.config.set_dtype_policy(self.dtype_policy)
        keras.utils.set_random_seed(self.seed)
        called = f"{getattr(self.function, '__name__', type(self.function).__name__)}({unroll!r})"
        try:
            model = self.function(unroll)
        except Exception as error:  # whatever the user's code raises
            raise InputError(f"{called} failed: {in_one_sentence(error)}") from error
        if not isinstance(model, keras.Model):
            raise InputError(f"{called} must return a compiled keras.Model, got {type(model).__name__}.")
        return model


@dataclass(frozen=True)
class _Configured:
    """A metric, an optimiser or another object of Keras's that is made from its configuration.

    Args:
        kind: Its class.
        config: Dict.
    """

    kind: type
    config: dict[str, Any]

    def made(self) -> Any:
        return self.kind.from_config(self.config)  # type: ignore[attr-defined]  # as every class of Keras's has


def recipe_of(model: keras.Model) -> ModelRecipe:
    """Take a compiled model apart.

    Args:
        model: A built and compiled `keras.Model`.

    Raises:
        InputError: If Keras cannot say how it is made, or how it was compiled.
    """
    layers = layers_of(model)
    flags = compiled_flags(model)
    own = type(model).compile is not keras.Model.compile
    with able_to_rebuild(model) as objects:
        node, functions = description(model, {})
        compiled = _compiled(model, own=own) if model.compiled else {}
    return ModelRecipe(
        node=node,
        objects=objects | functions | _objects_in(compiled),
        dtype_policy=model.dtype_policy.name,
        names=[layer.name for layer in layers],
        masking=[layer.supports_masking for layer in layers],
        trainable=[(flags.get(layer, layer.trainable), layer.trainable) for layer in layers],
        values=[np.asarray(variable) for variable in _variables(layers)],
        vocabularies=[vocabulary_of(layer) for layer in layers],
        compiled=compiled,
        own_compile=own,
        slots=_slots(model),
    )


def _variables(layers: list[Any]) -> list[Any]:
    return [variable for layer in layers for variable in own_variables(layer)]


def _compiled(model: Any, *, own: bool) -> dict[str, Any]:
    return _own_compile_config(model) if own else _compile_arguments(model)


def _own_compile_config(model: Any) -> dict[str, Any]:
    if type(model).compile_from_config is keras.Model.compile_from_config:
        raise InputError(
            f"Model '{model.name}' is compiled by {type(model).__name__}.compile, which cannot be repeated. Give the "
            "class get_compile_config and compile_from_config, or pass a function build(unroll) that makes and "
            "compiles the model."
        )
    return dict(model.get_compile_config())


def _compile_arguments(model: Any) -> dict[str, Any]:
    arguments = dict(model._compile_config.config) | {
        "optimizer": model.optimizer,
        "run_eagerly": model.run_eagerly,
        "steps_per_execution": model.steps_per_execution,
        "jit_compile": model.jit_compile,
    }
    return {name: keras.tree.map_structure(_configured, value) for name, value in arguments.items()}


def _configured(value: Any) -> Any:
    """Return an object of Keras's as class and configuration; anything else as it is."""
    if isinstance(value, keras.metrics.Metric | keras.optimizers.Optimizer):
        try:
            return _Configured(type(value), value.get_config())
        except Exception as error:  # whatever the code of the user's classes raises
            raise InputError(
                f"{type(value).__name__} cannot be sent to another process: {in_one_sentence(error)} Give what is in "
                "it a get_config, or pass a function build(unroll) that makes and compiles the model."
            ) from error
    return value


def _revived(arguments: dict[str, Any]) -> dict[str, Any]:
    def made(value: Any) -> Any:
        return value.made() if isinstance(value, _Configured) else value

    return {name: keras.tree.map_structure(made, value) for name, value in arguments.items()}


def _objects_in(compiled: dict[str, Any]) -> dict[str, Any]:
    """Return the user's functions and classes among what `compile` was given, by the names that Keras gives them."""
    kinds = [
        each for value in keras.tree.flatten(list(compiled.values())) for each in _kinds(value) if _is_the_users(each)
    ]
    return {name: each for each in kinds for name in (each.__name__, keras.saving.get_registered_name(each))}


def _kinds(value: Any) -> Iterator[Any]:
    if isinstance(value, _Configured):
        yield value.kind
    elif isinstance(value, keras.losses.Loss):
        yield type(value)
    elif isinstance(value, FunctionType | type):
        yield value


def _is_the_users(kind: Any) -> bool:
    return kind.__module__.split(".")[0] not in ("keras", "tensorflow", "builtins") and kind.__name__ != "<lambda>"


def _slots(model: Any) -> list[Any]:
    optimizer = next(iter(optimizers_of(model)), None)
    if optimizer is None or not optimizer.built or not updates_done(optimizer):
        return []
    return [np.asarray(variable) for variable in optimizer.variables]
