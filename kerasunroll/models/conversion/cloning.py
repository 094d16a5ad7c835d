"""Copy a Keras model with all its state, some of its recurrent layers exchanged for their counterparts.

A model is rebuilt from its configuration, as Keras does when it loads a saved model, but in memory: functions stay the
functions they are, and nothing has to be registered. In the configuration, the recurrent layers are exchanged. Some
models and layers make their recurrent layers themselves, so that the configuration does not have them: there they are
exchanged after rebuilding. Then the state is copied, layer by layer.

`keras.models.clone_model` does not do it: it turns subclasses of `Sequential` into a `Sequential`, loses the
`trainable` flag of nested models, the state and `use_cudnn`, and cannot reach a layer inside another one.

A long module: the ways in which a model can be rebuilt, tried one after the other.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any, TypeAlias

import keras
from keras.src.models.functional import Functional

from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.models.conversion.adapted import give_adapted_state, vocabulary_of
from kerasunroll.models.conversion.counterparts import Counterpart, forgotten_arguments
from kerasunroll.models.conversion.training_state import copy_training_state, optimizers_of
from kerasunroll.models.keras_errors import in_one_sentence

Counterparts: TypeAlias = Mapping[Any, Counterpart]
"""From the recurrent layers of a model to what they become; a layer that is left out stays as it is."""

Pairs: TypeAlias = dict[Any, Any]
"""From the layers of a model, the model first, to those of its copy."""


def clone(model: keras.Model, counterparts: Counterparts) -> keras.Model:
    """Return a copy of a model, in which some recurrent layers have become others.

    Args:
        model: A built `keras.Model`.
        counterparts: Dict from recurrent layers of `model` to their `Counterpart`.

    Returns:
        A `keras.Model` of the same class, with the same state, that shares no variable with `model`.

    Raises:
        InputError: If Keras cannot rebuild the model, or rebuilds another one, or a layer cannot be exchanged.
    """
    with able_to_rebuild(model):
        copy = _rebuilt(model, counterparts)
        made_by_code = _exchange(model, copy, counterparts)
        pairs = _pairs(model, copy, {})
        unmet = [layer.name for layer, wanted in counterparts.items() if not wanted.is_met_by(pairs[layer])]
        if unmet:
            raise _unreachable(unmet[0], model)
        _copy_names(pairs)
        _copy_masking(pairs)
        _copy_variables(pairs)
        copy_training_state(model, copy, pairs, _variable_pairs(pairs))
    if made_by_code:
        names = ", ".join(f"'{layer.name}'" for layer in made_by_code)
        warnings.warn(
            f"The setting of {names} is not saved with model '{model.name}': the layers are made by the code of a "
            "class whose get_config does not return them. Convert again after loading.",
            KerasunrollWarning,
            stacklevel=3,
        )
    return copy


def _rebuilt(layer: Any, counterparts: Counterparts) -> Any:
    """Return a layer or model made anew from its configuration, with fresh weights."""
    return made_from(*description(layer, counterparts))


def description(layer: Any, counterparts: Counterparts) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration of a layer or model, and the user's classes and functions in it by their names.

    Args:
        layer: A `keras.Layer`.
        counterparts: Dict from recurrent layers to their counterparts.

    Raises:
        InputError: If Keras cannot say how the layer is made.
    """
    with _telling_of(layer.name, type(layer).__name__):
        node = {
            "module": type(layer).__module__,
            "class_name": type(layer).__name__,
            "config": keras.saving.serialize_keras_object(layer.get_config()),
            "registered_name": keras.saving.get_registered_name(type(layer)),
            "build_config": keras.saving.serialize_keras_object(layer.get_build_config()),
        }
        objects = {str(node["registered_name"]): type(layer)}
        return _edited(node, _by_kind_and_name(layer), counterparts, objects), objects


def made_from(node: dict[str, Any], objects: dict[str, Any]) -> Any:
    """Return the layer or model of a `description`, with fresh weights.

    Raises:
        InputError: If Keras cannot make it.
    """
    with _telling_of(str(node["config"].get("name")), str(node["class_name"])):
        return keras.saving.deserialize_keras_object(node, custom_objects=objects, safe_mode=False)


@contextmanager
def _telling_of(name: str, class_name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever the code of the user's classes raises
        raise InputError(
            f"Keras cannot rebuild '{name}' ({class_name}) from its configuration: "
            f"{in_one_sentence(error)} Give the class a get_config that returns all arguments of __init__, and a "
            "from_config that takes them."
        ) from error


def _edited(
    node: Any, layers: dict[tuple[str, str], list[Any]], counterparts: Counterparts, objects: dict[str, Any]
) -> Any:
    """Return a serialised object with the recurrent layers in it exchanged, and its functions kept as they are.

    Args:
        node: What `keras.saving.serialize_keras_object` returned, or a part of it.
        layers: Dict from class and name to the layers that are called so.
        counterparts: Dict from recurrent layers to their counterparts.
        objects: Dict of custom objects, to which the functions are added by the names that stand for them.
    """
    if isinstance(node, list | tuple):
        return type(node)(_edited(each, layers, counterparts, objects) for each in node)
    if not isinstance(node, dict):
        return node
    node = {key: _edited(value, layers, counterparts, objects) for key, value in node.items()}
    config = node.get("config")
    if "class_name" not in node or not isinstance(config, dict):
        return node
    # The state of training is copied for the model as a whole; nested models are not trained by themselves.
    node.pop("compile_config", None)
    alike = layers.get((node["class_name"], str(config.get("name"))), [])
    if not alike:
        return node
    config |= forgotten_arguments(alike[0]) | _functions_by_name(alike[0], config, objects)
    wanted = {counterparts.get(layer) for layer in alike}
    if len(wanted) > 1:
        raise InputError(
            f"{len(alike)} recurrent layers are called '{alike[0].name}', so that they cannot be given different "
            "settings. Give them names of their own, or one setting."
        )
    exchanged = wanted.pop()
    return node if exchanged is None else exchanged.node(node)


def _functions_by_name(layer: Any, config: dict[str, Any], objects: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a configuration that are functions of the user's, as names of the functions themselves.

    Keras would look for them by their names, or rebuild a lambda from its byte code, without the modules that it uses.
    """
    named = {}
    for key in config:
        function = getattr(layer, key, getattr(layer, f"_{key}", None))
        if isinstance(function, FunctionType) and not function.__module__.startswith("keras."):
            name = f"{layer.name}/{key}/{id(function)}"
            objects[name] = function
            named[key] = {"class_name": "function", "config": name, "module": None, "registered_name": name}
    return named


@contextmanager
def able_to_rebuild(model: Any) -> Iterator[dict[str, Any]]:
    """Let Keras find the model's own classes and functions, which are yielded, and make layers of the model's dtype."""
    objects = _custom_objects(model)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(model.dtype_policy)
    try:
        with keras.saving.custom_object_scope(objects), warnings.catch_warnings():
            # Keras warns of lambdas, which could not be loaded safely; here none is loaded.
            warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
            # It warns of models and layers that it may not have built whole; here their variables are compared.
            warnings.filterwarnings("ignore", ".* had a build config, but the model cannot be built automatically")
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer")
            yield objects
    finally:
        keras.config.set_dtype_policy(policy)


def _custom_objects(model: Any) -> dict[str, Any]:
    """Return the classes and functions that are not Keras's, by the names under which Keras serialises them."""
    owners = [*layers_of(model), *optimizers_of(model)]
    values = [*owners, *(value for owner in owners for name, value in vars(owner).items() if not _wraps(owner, name))]
    objects = [value if isinstance(value, FunctionType) else type(value) for value in values]
    return {
        keras.saving.get_registered_name(each): each
        for each in objects
        if each.__module__.split(".")[0] not in ("keras", "tensorflow", "builtins") and each.__name__ != "<lambda>"
    }


def _wraps(owner: Any, name: str) -> bool:
    """Tell whether an attribute stands in the place of a method: Keras wraps a layer's `build` so."""
    return isinstance(getattr(type(owner), name, None), FunctionType)


def layers_of(layer: Any) -> list[Any]:
    """Return a layer and all layers inside, each once, from the outside in."""
    found = {layer: None}
    for inner in layer._layers:
        found |= dict.fromkeys(layers_of(inner))
    return list(found)


def _by_kind_and_name(layer: Any) -> dict[tuple[str, str], list[Any]]:
    layers: dict[tuple[str, str], list[Any]] = {}
    for each in layers_of(layer):
        layers.setdefault((type(each).__name__, each.name), []).append(each)
    return layers


def _matched(layer: Any, copy: Any) -> list[tuple[Any, Any]]:
    """Return the layers directly inside a layer, each with the one in its copy.

    By name where the names are the same; else, where code makes them and Keras counts up their names, by order.
    """
    layers, copies = layer._layers, copy._layers
    by_name = {each.name: each for each in copies}
    if {each.name for each in layers} == set(by_name) and len(by_name) == len(layers) == len(copies):
        return [(each, by_name[each.name]) for each in layers]
    if len(layers) != len(copies):
        raise _other_structure(layer, [each.name for each in layers], [each.name for each in copies])
    return list(zip(layers, copies, strict=True))


def _exchange(layer: Any, copy: Any, counterparts: Counterparts) -> list[Any]:
    """Exchange the recurrent layers in a copy that its configuration did not have, and return their originals."""
    exchanged: list[Any] = []
    for inner, inner_copy in _matched(layer, copy):
        unmet = _unmet(inner, inner_copy, counterparts)
        # The layers of a graph of layers stand in its configuration; so the graph is rebuilt as a whole.
        if unmet and isinstance(inner, keras.layers.RNN | keras.Sequential | Functional):
            replacement = _rebuilt(inner, counterparts)
            _put(copy, inner_copy, replacement)
            exchanged += unmet
            if inner not in unmet:
                _exchange(inner, replacement, counterparts)
        elif unmet:
            exchanged += _exchange(inner, inner_copy, counterparts)
    return exchanged


def _unmet(layer: Any, copy: Any, counterparts: Counterparts) -> list[Any]:
    if layer in counterparts:
        return [] if counterparts[layer].is_met_by(copy) else [layer]
    return [each for inner, inner_copy in _matched(layer, copy) for each in _unmet(inner, inner_copy, counterparts)]


def _put(parent: Any, old: Any, new: Any) -> None:
    """Put a layer in the place of another one, wherever the layer that has it refers to it."""
    references = {
        name: value
        for name, value in vars(parent).items()
        if name != "_layers" and not name.startswith("_self_") and _refers_to(value, old)
    }
    if not references or isinstance(parent, Functional | keras.Sequential):
        raise _unreachable(old.name, parent)
    parent._tracker.replace_tracked_value("layers", old, new)
    for name, value in references.items():
        setattr(parent, name, _with(value, old, new))


def _refers_to(value: Any, layer: Any) -> bool:
    if isinstance(value, dict):
        return _refers_to(list(value.values()), layer)
    if isinstance(value, list | tuple):
        return any(_refers_to(each, layer) for each in value)
    return value is layer


def _with(value: Any, old: Any, new: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with(each, old, new) for key, each in value.items()}
    if isinstance(value, list | tuple):
        each_new = [_with(each, old, new) for each in value]
        return tuple(each_new) if isinstance(value, tuple) else each_new
    return new if value is old else value


def _pairs(layer: Any, copy: Any, pairs: Pairs) -> Pairs:
    """Return `pairs` with a layer and all inside, each with its copy."""
    if layer in pairs and pairs[layer] is copy:
        return pairs
    if layer in pairs:
        raise InputError(
            f"Layer '{layer.name}' is shared between two models or layers that contain it, which Keras cannot rebuild: "
            "it would become two layers. Share the model that contains it instead."
        )
    if copy is layer or not (type(copy) is type(layer) or isinstance(layer, keras.layers.RNN)):
        raise _other_structure(layer, type(layer).__name__, "the same object" if copy is layer else type(copy).__name__)
    pairs[layer] = copy
    for inner, inner_copy in _matched(layer, copy):
        _pairs(inner, inner_copy, pairs)
    return pairs


def _copy_names(pairs: Pairs) -> None:
    """Give each layer its original's name, also where Keras has counted one up."""
    for layer, copy in pairs.items():
        copy.name, copy._path = layer.name, layer._path
        for variable, its_copy in zip(own_variables(layer), own_variables(copy), strict=False):
            its_copy._name, its_copy._path = variable._name, variable._path


def _copy_masking(pairs: Pairs) -> None:
    """Let each layer pass its mask on where its original does: Keras leaves it out of the configuration."""
    for layer, copy in pairs.items():
        copy.supports_masking = layer.supports_masking


def _copy_variables(pairs: Pairs) -> None:
    for layer, copy in pairs.items():
        originals, copies = own_variables(layer), own_variables(copy)
        shapes, copied_shapes = ([(tuple(v.shape), v.dtype) for v in each] for each in (originals, copies))
        if shapes != copied_shapes:
            raise _other_structure(layer, f"variables {shapes}", copied_shapes)
        for variable, its_copy in zip(originals, copies, strict=True):
            its_copy.assign(variable)
        give_adapted_state(copy, vocabulary_of(layer))


def _variable_pairs(pairs: Pairs) -> list[tuple[Any, Any]]:
    return [
        pair for layer, copy in pairs.items() for pair in zip(own_variables(layer), own_variables(copy), strict=True)
    ]


def own_variables(layer: Any) -> list[Any]:
    """Return the variables of a layer that are not those of a layer inside; also the states, which Keras leaves out."""
    inner = {id(variable) for each in layer._layers for variable in each.variables}
    states = keras.tree.flatten(layer.states) if isinstance(layer, keras.layers.RNN) and layer.stateful else []
    return [*(variable for variable in layer.variables if id(variable) not in inner), *states]


def _unreachable(name: str, parent: Any) -> InputError:
    return InputError(
        f"Recurrent layer '{name}' cannot be exchanged: {type(parent).__name__} '{parent.name}', which contains it, "
        "has it neither in its configuration nor as an attribute. Return it from get_config, or make it an attribute."
    )


def _other_structure(layer: Any, expected: Any, got: Any) -> InputError:
    return InputError(
        f"Keras rebuilds '{layer.name}' ({type(layer).__name__}) from its configuration as something else: expected "
        f"{expected}, got {got}. Its get_config must return all that its from_config needs to make it again."
    )
