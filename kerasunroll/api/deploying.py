"""`kerasunroll.deploy`: which setting to take to the device."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from kerasunroll.api.functions import limits_of
from kerasunroll.api.progress import progress_bar
from kerasunroll.api.request.settings import settings_of
from kerasunroll.data.checks import whole_number
from kerasunroll.data.given.nests import as_arrays
from kerasunroll.deployment.contender import Contender, contenders
from kerasunroll.deployment.data import save_sequences, sequences_for
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.run import measure_deployment
from kerasunroll.deployment.verdict import DeviceLimits
from kerasunroll.errors import InputError
from kerasunroll.inspection.model.batches import as_batch
from kerasunroll.measurement.planning.quantities import parse_bytes, parse_seconds
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records.folders import claim
from kerasunroll.models import SavedModel, StackConfig, load_model
from kerasunroll.models.building import build_from, is_unbuilt
from kerasunroll.models.files.saved import folder_name
from kerasunroll.models.shipping.facts import given_model
from kerasunroll.models.shipping.pickles import pickled, write_pickled
from kerasunroll.models.shipping.recipe import recipe_of
from kerasunroll.training.session import network_of

MODEL: Final = "given/model.pkl"
BATCH: Final = "given/batch.npz"
MOST: Final = 256
"""So many sequences are compared and calibrated on; more would take longer and tell no more."""


def deploy(
    model: "keras.Model | StackConfig | str | Path",
    x: Any = None,
    *,
    unroll: Any = ("loop", "full", "own-loop"),
    target: str | Sequence[str] = "litert",
    quantize: str | Sequence[str] = "none",
    batch_size: int = 1,
    threads: int | Sequence[int] = 1,
    streaming: bool = False,
    flash_limit: str | None = None,
    latency_limit: str | float | None = None,
    builtins_only: bool = False,
    micro: bool = False,
    custom_objects: Sequence[str] = (),
    seed: int = 0,
    folder: str | Path = "logs/deploy",
    budget: str | float | None = None,
    time_limit: str | Sequence[str] = (),
    memory_limit: str | None = None,
    processes: int = 3,
    half_width: float = 0.03,
    max_rounds: int = 40,
    progress: bool = True,
) -> Deployment:
    """Make a file for the device of a model in several unroll settings, and compare what each costs.

    For every setting, target and quantisation, in a process of its own: can a file be made, and in which way; which
    operations are in it; how large is it, and how much memory do its tensors need; does it compute what the model
    does; and, all in turns, how long does one inference take on this machine?

    Args:
        model: A built `keras.Model`, which need not be compiled; a `StackConfig`; or the path of a `.keras` file.
        x: Arrays (N, T, F), nested as the model takes them: sequences on which the files are compared with the model,
            and from which int8 learns the ranges; the first 256 are used. Defaults to `None`: made-up ones.
        unroll: A setting or a list of them. Defaults to `("loop", "full", "own-loop")`.
        target: `"litert"`, `"onnx"`, `"saved_model"`, or a list of these. Defaults to `"litert"`.
        quantize: `"none"`, `"float16"` (weights), `"int8"` (weights and activations), or a list. Defaults to `"none"`.
        batch_size: Integer. The sequences of one inference. Defaults to 1.
        threads: Integer or a list. Threads of the runtime. Defaults to 1.
        streaming: Boolean. Whether to try a stateful network of one time step as well, called T times: what a
            microcontroller runs. Defaults to `False`.
        flash_limit: String such as `"256kB"`. How large the file may be.
        latency_limit: String such as `"5ms"`, or seconds. How long one inference may take here.
        builtins_only: Boolean. Whether the plain LiteRT interpreter has to run it. Defaults to `False`.
        micro: Boolean. Whether TensorFlow Lite Micro has to know its operations. Defaults to `False`.
        custom_objects: Strings, `"module:name"`, for a `.keras` file.
        seed: Integer. Draws made-up sequences, and a `StackConfig`'s weights are its own. Defaults to 0.
        folder: Path. Keeps files, logs and records; where it exists, `<folder>-2`, ... is made.
        budget: As for `compare`.
        time_limit: As for `compare`; the phases are `build`, `convert`, `check` and `steady`.
        memory_limit: As for `compare`.
        processes: As for `compare`.
        half_width: As for `compare`.
        max_rounds: As for `compare`.
        progress: As for `compare`.

    Returns:
        A `Deployment`.

    Raises:
        InputError: If something passed cannot be used; nothing is left behind then.
        RunError: If what was measured cannot be written.

    Example:
    >>> deployment = kerasunroll.deploy(model, x, flash_limit="256kB")  # doctest: +SKIP
    >>> deployment.verdict.text
    'Take full with a fixed batch. ...'
    >>> deployment.write("model.tflite")
    """
    limits = DeviceLimits(
        None if flash_limit is None else parse_bytes(str(flash_limit), "flash_limit"),
        None if latency_limit is None else parse_seconds(str(latency_limit), "latency_limit"),
        builtins_only,
        micro,
    )
    rules = limits_of(budget, time_limit, memory_limit, processes, half_width, max_rounds)
    settings = settings_of(unroll)
    size = whole_number("batch_size", batch_size, at_least=1)
    stack, content, live = _network(model, x, custom_objects)
    tried = contenders(
        [stack.replace(unroll=each) for each in settings],
        _listed(target),
        _listed(quantize),
        [whole_number("threads", each, at_least=1) for each in ([threads] if isinstance(threads, int) else threads)],
        streaming=streaming,
        batch_size=size,
        seed=whole_number("seed", seed, at_least=0),
    )
    sequences = _sequences(x, live, tried[0], size)
    place = claim(Path(folder))
    try:
        if content is not None:
            write_pickled(place / MODEL, content)
        data = save_sequences(sequences, place)
        _save_batch(sequences, size, place)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    with progress_bar(shown=progress) as on_progress:
        return _measured([each.model_copy(update={"data": data}) for each in tried], place, rules, limits, on_progress)


def _measured(
    tried: list[Contender], folder: Path, rules: Rules, limits: DeviceLimits, on_progress: OnProgress
) -> Deployment:
    found = measure_deployment(tried, folder, folder / BATCH, rules, on_progress)
    deployment = Deployment(folder, found, limits)
    deployment.write_tensorboard()
    return deployment


def _network(model: Any, x: Any, custom_objects: Sequence[str]) -> tuple[StackConfig | SavedModel, bytes | None, Any]:
    """Return the network as it stands in a contender, what has to be written for it, and the model itself."""
    if isinstance(model, StackConfig):
        return model, None, network_of(model)
    if isinstance(model, str | Path):
        saved = SavedModel.read(model, custom_objects=custom_objects)
        return saved, None, load_model(model, custom_objects=custom_objects)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected a built keras.Model, a StackConfig or the path of a .keras file, got {type(model).__name__}."
        )
    if is_unbuilt(model):
        if x is None:
            raise InputError(
                f"Model '{model.name}' is not built: its shapes are unknown. Give sequences: deploy(model, x)."
            )
        build_from(model, as_arrays("x", x))
    content = pickled(f"model '{model.name}'", recipe_of(model))
    batch = as_arrays("x", x) if x is not None else _made_up(model)
    described = given_model(model, MODEL, content, x=batch)
    return described.model_copy(update={"name": folder_name(model.name)}), content, model


def _made_up(model: keras.Model) -> Any:
    from kerasunroll.inspection.model_parity.made_up_batch import generated_batch

    return generated_batch(model).x


def _sequences(x: Any, model: Any, contender: Contender, batch_size: int) -> Any:
    """Return nested arrays of at least one batch, seen to fit the model."""
    sequences = sequences_for(contender, model) if x is None else as_arrays("x", x)
    leaves = keras.tree.flatten(sequences)
    if any(None in leaf.shape or 0 in leaf.shape for leaf in leaves) or len({len(leaf) for leaf in leaves}) != 1:
        raise InputError("x must have at least one sequence, and as many in every array.")
    if len(leaves[0]) < batch_size:
        raise InputError(f"x has {len(leaves[0])} sequences, which make no batch of {batch_size}. Give more.")
    as_batch(model, keras.tree.map_structure(lambda leaf: leaf[:batch_size], sequences))
    return keras.tree.map_structure(lambda leaf: leaf[: max(MOST, batch_size)], sequences)


def _save_batch(sequences: Any, batch_size: int, folder: Path) -> None:
    np.savez(folder / BATCH, *(leaf[:batch_size] for leaf in keras.tree.flatten(sequences)))


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
