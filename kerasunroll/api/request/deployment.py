"""What was passed to `deploy`, checked, and written into the folder of the deployment."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from kerasunroll.api.request.settings import settings_of
from kerasunroll.data.checks import whole_number
from kerasunroll.data.given.nests import as_arrays
from kerasunroll.deployment.contender import Contender, contenders
from kerasunroll.deployment.data import save_sequences, sequences_for
from kerasunroll.deployment.known import Known
from kerasunroll.deployment.plan import BATCH, GIVEN, DeploymentPlan
from kerasunroll.deployment.run import DeploymentRun
from kerasunroll.deployment.verdict import DeviceLimits
from kerasunroll.errors import InputError
from kerasunroll.files import checksums
from kerasunroll.inspection.model.batches import as_batch
from kerasunroll.measurement.records.folders import claim
from kerasunroll.models import SavedModel, StackConfig, load_model
from kerasunroll.models.building import build_from, is_unbuilt
from kerasunroll.models.files.saved import folder_name
from kerasunroll.models.shipping.facts import given_model
from kerasunroll.models.shipping.pickles import pickled, write_pickled
from kerasunroll.models.shipping.recipe import recipe_of
from kerasunroll.training.session import network_of
from kerasunroll.training.threads import MOST as MOST_THREADS

MODEL: Final = f"{GIVEN}/model.pkl"
MOST: Final = 256
"""So many sequences are compared and calibrated on; more would take longer and tell no more."""


def new_deployment(
    model: Any,
    x: Any,
    folder: Path,
    limits: DeviceLimits,
    *,
    unroll: Any,
    target: str | Sequence[str],
    quantize: str | Sequence[str],
    batch_size: int,
    threads: int | Sequence[int],
    streaming: bool,
    custom_objects: Sequence[str],
    seed: int,
) -> DeploymentRun:
    """Return what is to be tried, in a folder of its own.

    Args:
        model: As for `deploy`, like all that follows.
        x: Nested arrays, or `None`.
        folder: Path. Where it exists, `<folder>-2`, ... is made.
        limits: `DeviceLimits`.
        unroll: A setting or a list of them.
        target: String or a list.
        quantize: String or a list.
        batch_size: Integer.
        threads: Integer or a list.
        streaming: Boolean.
        custom_objects: Strings.
        seed: Integer.

    Raises:
        InputError: If something passed cannot be used; nothing is left behind then.
    """
    settings = settings_of(unroll)
    size = whole_number("batch_size", batch_size, at_least=1)
    stack, content, live = _network(model, x, custom_objects)
    tried = contenders(
        [stack.replace(unroll=each) for each in settings],
        _listed(target),
        _listed(quantize),
        _threads(threads),
        streaming=streaming,
        batch_size=size,
        seed=whole_number("seed", seed, at_least=0),
    )
    sequences = _sequences(x, live, tried[0], size)
    place = claim(folder)
    try:
        if content is not None:
            write_pickled(place / MODEL, content)
        data = save_sequences(sequences, place)
        np.savez(place / BATCH, *(leaf[:size] for leaf in keras.tree.flatten(sequences)))
        plan = DeploymentPlan(
            contenders=tuple(each.model_copy(update={"data": data}) for each in tried),
            limits=limits,
            checksums=checksums(place / GIVEN, place),
        )
        plan.save(place)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return DeploymentRun(place, Known(plan))


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


def _threads(threads: int | Sequence[int]) -> list[int]:
    listed = list(threads) if isinstance(threads, list | tuple) else [threads]
    numbers = [whole_number("threads", each, at_least=1) for each in listed]
    if not numbers or max(numbers) > MOST_THREADS:
        raise InputError(f"Expected numbers of threads from 1 to {MOST_THREADS}, such as [1, 2], got {threads!r}.")
    return numbers


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
