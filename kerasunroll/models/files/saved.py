"""A saved model in an unroll setting, described in one validated object. Loads without TensorFlow.

A long module: one validated object, and the reading of its file without TensorFlow.
"""

import hashlib
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kerasunroll.backend import require_backend
from kerasunroll.errors import InputError
from kerasunroll.models.factories.fields import CELL_NAMES, NameField
from kerasunroll.models.files.legacy import is_hdf5
from kerasunroll.settings import Setting, Settings, expand_settings, is_full

GIVEN_SUFFIX: Final = ".pkl"
"""The ending of a file with a model that was given in Python."""

_LONGEST_NAME: Final = 100
_CELLS: Final = {name: cell for cell, name in CELL_NAMES.items()}
_RECURRENT: Final = {"return_sequences", "go_backwards", "stateful"}
_NOT_COMPILED: Final = "not compiled, so trained with the loss that goes with the data"
_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class SavedLayer(BaseModel):
    """A recurrent layer, as far as an estimate of its cost needs it. A `Bidirectional` is one.

    Args:
        name: String. The layer's name.
        cell: String: `"simple_rnn"`, `"lstm"`, `"gru"`, or the name of the class of another layer or cell.
        units: Integer, or `None` if it is not known.
        features: Integer, the numbers in a time step of its input, or `None` if it is not known.
        timesteps: Integer, or `None` if it takes any number, or that is not known.
        bidirectional: Boolean, default `False`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cell: str
    units: int | None
    features: int | None
    timesteps: int | None
    bidirectional: bool = False


class SavedModel(BaseModel):
    """Describe a model in a `.keras` file and the setting that it is converted to.

    You can use it like a `StackConfig`: it is frozen, made of plain values, and the same in a plan, in a record and in
    a worker. `SavedModel.read` makes one from a file.

    Args:
        path: String. The absolute path of the file; of a model that was given in Python, that of its pickled recipe.
        sha256: String. The checksum of the file, so that one that has changed is noticed.
        custom_objects: Tuple of strings, `"module:name"`, as for `load_model`. Defaults to `()`.
        unroll: One setting, or one per recurrent layer; see `with_unroll`. Defaults to `False`.
        takes: Tuple, the shape of a batch that the model takes, or `None` if the file does not say.
        input_shape: Tuple, the shape of one sequence that it is given.
        recurrent: Tuple of `SavedLayer`, in the order of the model.
        compiled: Boolean. Whether it was compiled: then its optimiser, loss and metrics are used.
        jit_compile: Boolean or `None`. Whether it was compiled with XLA; `None`: where Keras finds that it pays.
        dtype: String or `None`. The dtype policy of its recurrent layers, if that is not float32.
        name: String. The name of its run folder. Defaults to the file's name and T, such as `"mine-T100"`.

    Raises:
        SettingError: If `unroll` is no setting, or has a wrong number of them.
        InputError: If the sequences do not fit the model, or if a layer is to be fully unrolled whose number of time
            steps is unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str
    custom_objects: tuple[str, ...] = ()
    unroll: Setting | tuple[Setting, ...] = False
    takes: tuple[int | None, ...] | None
    input_shape: tuple[int | None, ...]
    recurrent: tuple[SavedLayer, ...]
    compiled: bool
    jit_compile: bool | None = False
    dtype: str | None = None
    name: NameField = Field(default_factory=lambda options: _default_name(options))

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            first = error.errors()[0]
            ours = first.get("ctx", {}).get("error")
            if isinstance(ours, InputError):
                raise ours from None
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"Invalid {where}: {first['msg']}, got {first['input']!r}.") from None

    @classmethod
    def read(cls, path: str | Path, *, custom_objects: Sequence[str] = (), unroll: Settings = False) -> Self:
        """Read what a `.keras` file says about its model, without building it; an HDF5 file is converted first.

        Args:
            path: Path of the file.
            custom_objects: List of strings, `"module:name"`, as for `load_model`. Nothing is imported here.
            unroll: The setting.

        Raises:
            InputError: As `load_model` where the file cannot be loaded; also if the model has several inputs or
                outputs, where a data source has one of each, or no recurrent layer.
        """
        path = _as_keras_file(Path(path), custom_objects)
        try:
            config = _read_config(path)
            foreign = any(map(_is_foreign, _nodes(config)))
        except _UNREADABLE:
            _explain(path)
            raise
        if foreign and not custom_objects:
            _explain(path)
        _check_one(path, "inputs", config["config"].get("input_layers"))
        _check_one(path, "outputs", config["config"].get("output_layers"))
        nodes = list(_recurrent_nodes(config["config"]))
        if not (nodes or custom_objects):  # inside one of these there may be one
            raise InputError(
                f"'{path}' has no recurrent layer (no keras.layers.RNN such as LSTM, GRU or SimpleRNN): "
                "there is nothing that runs through time."
            )
        takes = _batch_shape(config)
        compile_config = config.get("compile_config") or {}
        jit_compile = compile_config.get("jit_compile", False)
        return cls(
            path=str(path.absolute()),
            sha256=_checksum(path),
            custom_objects=tuple(custom_objects),
            unroll=unroll,
            takes=takes,
            input_shape=(None,) if takes is None else takes[1:],
            recurrent=[_layer(node) for node in nodes],
            compiled=bool(compile_config),
            jit_compile=jit_compile if isinstance(jit_compile, bool) else None,
            dtype=next((policy for node in nodes if (policy := _policy(node)) != "float32"), None),
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some arguments changed, validated anew; a name not given follows the changes."""
        options = self.model_dump()
        if self.name == _default_name(options):
            del options["name"]
        return type(self)(**(options | changes))

    def check_file(self) -> None:
        """See whether the file is still what it was when this was read from it.

        Raises:
            InputError: If it has changed, or cannot be read any more.
        """
        try:
            now = _checksum(Path(self.path))
        except OSError as error:
            raise InputError(f"Model '{self.path}' cannot be read any more: {error.strerror}.") from None
        if now != self.sha256:
            raise InputError(f"Model '{self.path}' has changed since the run was begun. Start a new run.")

    def describe(self) -> str:
        """Return in one line what was found in the file.

        Example:
        >>> SavedModel.read("mine.keras").describe()  # doctest: +SKIP
        'mine.keras: bidirectional lstm of 64 units, gru of 32 units; trained with its own optimizer, loss and metrics'
        """
        layers = ", ".join(_in_words(layer) for layer in self.recurrent) or "recurrent layers inside custom objects"
        if self.is_given:
            return f"model '{self.name}', given in Python: {layers}"
        how = "trained with its own optimizer, loss and metrics" if self.compiled else _NOT_COMPILED
        return f"{Path(self.path).name}: {layers}; {how}"

    @property
    def is_given(self) -> bool:
        """Whether it was given in Python, and lies in a file of `kerasunroll.models.shipping`."""
        return self.path.endswith(GIVEN_SUFFIX)

    @property
    def layers(self) -> int:
        """The number of recurrent layers."""
        return len(self.recurrent)

    @property
    def timesteps(self) -> int | None:
        """`T`, or `None` if it is unknown."""
        return self.input_shape[0]

    @property
    def batch_size(self) -> int | None:
        """The size of the only batches that the model takes, or `None`: any."""
        return self.takes[0] if self.takes else None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The unroll setting of each recurrent layer; one, where their number is not known."""
        if self.recurrent or not isinstance(self.unroll, tuple):
            return expand_settings(self.unroll, self.layers or 1)
        return self.unroll

    @property
    def cell(self) -> str:
        """The kinds of the cells, each once: `"lstm"`, or `"lstm, gru"`."""
        return ", ".join(dict.fromkeys(layer.cell for layer in self.recurrent)) or "recurrent"

    @property
    def units(self) -> tuple[int, ...]:
        """The units of each layer of which they are known."""
        return tuple(layer.units for layer in self.recurrent if layer.units is not None)

    @property
    def bidirectional(self) -> bool:
        """Whether a layer reads in both directions."""
        return any(layer.bidirectional for layer in self.recurrent)

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        settings = self.settings  # refuses what is none
        for layer, setting in zip(self.recurrent, settings, strict=False):
            if is_full(setting) and layer.timesteps is None and layer.features is not None:
                where = self.name if self.is_given else self.path
                raise InputError(
                    f"Layer '{layer.name}' of '{where}' cannot be fully unrolled: its number of time steps is unknown. "
                    "Give the number in the shape of the model's Input, or use another setting, such as k8 or loop."
                )
        return self

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        if self.takes is None:
            return self
        expected = self.takes[1:]
        if len(expected) == len(self.input_shape) and all(
            None in pair or pair[0] == pair[1] for pair in zip(expected, self.input_shape, strict=True)
        ):
            return self
        same_features = expected[1:] == self.input_shape[1:]
        hint = f"Give --timesteps {expected[0]}, where the source allows it" if same_features else "Give other data"
        raise InputError(
            f"The data do not fit the model: '{self.path}' takes sequences of shape {_shape(expected)}, the source has "
            f"{_shape(self.input_shape)}. {hint}."
        )


def _default_name(options: dict[str, Any]) -> str:
    return folder_name(f"{Path(options['path']).stem}-T{options['input_shape'][0] or 'any'}")


def folder_name(text: str) -> str:
    """Return a text as the name of a folder, with `_` for what is no letter, digit, dot or hyphen."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip("_.-")[:_LONGEST_NAME] or "model"


def _read_config(path: Path) -> dict[str, Any]:
    if path.suffix != ".keras":
        raise ValueError(path.suffix)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    if not isinstance(config["config"], dict):
        raise TypeError(config["config"])
    return dict(config)


def _is_foreign(node: dict[str, Any]) -> bool:
    """Tell whether a serialised object may be code, or a class that is neither Keras's nor ours."""
    kind, module = str(node["class_name"]), str(node.get("module"))
    plain = kind.startswith("__") and kind != "__lambda__"
    return kind == "Lambda" or not (plain or module.split(".")[0] in ("keras", "kerasunroll", "builtins", "None"))


def _as_keras_file(path: Path, custom_objects: Sequence[str]) -> Path:
    if not is_hdf5(path):
        return path
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    require_backend(f"Reading '{path}', an HDF5 file,")
    from kerasunroll.models.files.loading import as_keras_file

    return as_keras_file(path, custom_objects=custom_objects)


def _explain(path: Path) -> None:
    """Have `load_model` say what is wrong with a file, if anything: slow, but in the same words everywhere."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    require_backend(f"Finding out what is wrong with '{path}'")
    from kerasunroll.models.files.loading import load_model

    load_model(path)


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every serialised object in a configuration."""
    if isinstance(config, list):
        for each in config:
            yield from _nodes(each)
    elif isinstance(config, dict):
        if isinstance(config.get("class_name"), str) and "config" in config:
            yield config
        for each in config.values():
            yield from _nodes(each)


def _recurrent_nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the recurrent layers in the order of the model; a `Bidirectional` is one."""
    if isinstance(config, list):
        for each in config:
            yield from _recurrent_nodes(each)
    elif isinstance(config, dict):
        if _is_recurrent(config):
            yield config
        else:
            for each in config.values():
                yield from _recurrent_nodes(each)


def _is_recurrent(node: dict[str, Any]) -> bool:
    inner = node.get("config")
    if not isinstance(inner, dict):
        return False
    if node.get("class_name") == "Bidirectional":
        return isinstance(inner.get("layer"), dict)
    return inner.keys() >= _RECURRENT  # every keras.layers.RNN, those of the user's too


def _layer(node: dict[str, Any]) -> SavedLayer:
    if bidirectional := node["class_name"] == "Bidirectional":
        built, name = node.get("build_config"), node["config"].get("name")
        node = {"build_config": built} | node["config"]["layer"]
    else:
        name = node["config"].get("name")
    cell = _cell(node)
    shape = _built_shape(node)
    inner = shape[2:] if shape else [None]
    return SavedLayer(
        name=str(name),
        cell=_CELLS.get(cell["class_name"].removesuffix("Cell"), cell["class_name"]),
        units=_size(cell["config"].get("units", cell["config"].get("filters"))),
        features=None if None in inner else math.prod(inner),
        timesteps=shape[1] if shape else None,
        bidirectional=bidirectional,
    )


def _cell(node: dict[str, Any]) -> dict[str, Any]:
    """Return what has the units: the layer itself, its cell, or the last one of its stack of cells."""
    config = node["config"]
    inner = config.get("cell") or (config.get("cells") or [None])[-1]
    return _cell(inner) if isinstance(inner, dict) and isinstance(inner.get("config"), dict) else node


def _built_shape(node: dict[str, Any]) -> list[int | None] | None:
    """Return the shape of a batch that a layer was built for."""
    built = node.get("build_config") or {}
    shape = built.get("input_shape") or (built.get("shapes_dict") or {}).get("sequences_shape")
    flat = isinstance(shape, list) and len(shape) > 1 and all(isinstance(size, int | None) for size in shape)
    return shape if flat else None


def _batch_shape(config: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Return the shape of a batch that the model takes, if the file says so."""
    names = set(_input_names(config["config"].get("input_layers")))
    for each in config["config"].get("layers") or []:
        inner = each["config"]
        if each["class_name"] == "InputLayer" and (inner["name"] in names or not names):
            return tuple(inner["batch_shape"])
    shape = _built_shape(config)
    # Of a model without an Input, the size of the batch is that of the one it was built with.
    return None if shape is None else (None, *shape[1:])


def _input_names(places: Any) -> list[str]:
    """Return the names of the layers in Keras's list of inputs or outputs: one place, or a list or dict of places."""
    if isinstance(places, dict):
        places = list(places.values())
    if not isinstance(places, list):
        return []
    if len(places) == 3 and isinstance(places[0], str):
        return [places[0]]
    return [name for place in places for name in _input_names(place)]


def _check_one(path: Path, what: str, places: Any) -> None:
    number = len(_input_names(places))
    if number > 1:
        raise InputError(
            f"'{path}' has {number} {what}, but a data source has one array x and one array y: a model is measured "
            "with one input and one output. Measure the part of it that has these."
        )


def _policy(node: dict[str, Any]) -> str:
    policy = node["config"].get("dtype")
    return str(policy["config"].get("name") if isinstance(policy, dict) else policy or "float32")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _in_words(layer: SavedLayer) -> str:
    units = "" if layer.units is None else f" of {layer.units} units"
    return f"{'bidirectional ' if layer.bidirectional else ''}{layer.cell}{units}"


def _shape(shape: tuple[int | None, ...]) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
