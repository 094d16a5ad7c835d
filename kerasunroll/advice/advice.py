"""Which setting to take, predicted from the shapes and what is known of this machine."""

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kerasunroll.advice.amounts import Work, work
from kerasunroll.advice.calibration import Calibration, calibration
from kerasunroll.advice.model import predict
from kerasunroll.advice.network import Network
from kerasunroll.advice.prediction import Advice, Prediction
from kerasunroll.advice.reference import Reference, reference
from kerasunroll.advice.text import advice_text
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records.environment import environment
from kerasunroll.models import StackConfig
from kerasunroll.settings import Settings, expand_settings, parse_settings, settings_name
from kerasunroll.units import format_bytes

SETTINGS: Final = ("loop", "full", "k4", "k8", "own-loop")
"""The settings to choose from, where nothing else is asked for; and `own-full` where sequences are short."""

LONGEST_OWN_FULL: Final = 32
"""The number of time steps up to which `own-full` is one of them, as for `unroll="auto"`."""


def advise(
    cell: str = "lstm",
    *,
    timesteps: int,
    features: int = 1,
    units: int | Sequence[int] = (64, 64),
    batch_size: int = 32,
    bidirectional: bool = False,
    settings: Sequence[Settings | str] | None = None,
    training_steps: int | None = None,
    memory_limit: int | None = None,
    inference: bool = False,
    recalibrate: bool = False,
) -> Advice:
    """Predict what each setting of a recurrent stack will cost on this machine, and recommend one. Measures nothing.

    The first call on a machine measures the machine itself, in about half a minute, and keeps the result.

    Args:
        cell: String. `"lstm"` (default), `"gru"` or `"simple_rnn"`.
        timesteps: Integer, T.
        features: Integer. The numbers in a time step. Defaults to 1.
        units: Integer or list of integers, one per layer. Defaults to `(64, 64)`.
        batch_size: Integer. Defaults to 32.
        bidirectional: Boolean. Defaults to `False`.
        settings: List of settings, or of words as on the command line. Defaults to `settings_for` the network.
        training_steps: Integer or `None`. How many there will be (with `inference`: batches). Defaults to `None`: so
            many that the time until the first one does not matter.
        memory_limit: Integer or `None`. The bytes that the process may take in all. Defaults to `None`.
        inference: Boolean. Whether the network is only applied, and not trained. Defaults to `False`.
        recalibrate: Boolean. Measure the machine anew. Defaults to `False`.

    Returns:
        `Advice`.

    Raises:
        InputError: If an argument cannot be used, or if TensorFlow would run on a GPU, which the prediction does not
            cover.
        RunError: If the machine had to be measured, and that failed.

    Example:
    >>> advice = kerasunroll.advise("lstm", timesteps=100, units=(64, 64), training_steps=3000)  # doctest: +SKIP
    >>> advice.recommended  # doctest: +SKIP
    'own-loop'
    """
    stack = StackConfig(cell=cell, input_shape=(timesteps, features), units=units, bidirectional=bidirectional)
    network = Network.of(stack, batch_size)
    settings = settings_for(network) if settings is None else settings
    check_question(network, settings, training_steps, memory_limit)
    known = reference()
    machine = this_machine(known, anew=recalibrate, warn=_warn)
    return advise_network(
        network,
        settings,
        known,
        machine,
        training_steps=training_steps,
        memory_limit=memory_limit,
        inference=inference,
    )


def settings_for(network: Network) -> tuple[str, ...]:
    """Return the settings to choose from where nothing else is asked for."""
    short = all(layer.timesteps <= LONGEST_OWN_FULL for layer in network.layers)
    return (*SETTINGS, "own-full") if short else SETTINGS


def this_machine(
    known: Reference,
    *,
    anew: bool = False,
    on_progress: OnProgress = lambda progress: None,  # noqa: ARG005
    warn: Callable[[str], object] = lambda problem: None,  # noqa: ARG005
) -> Calibration:
    """Return what is known of this machine, as `calibration` does, where TensorFlow runs on its CPU.

    Raises:
        InputError: If there is a GPU that TensorFlow would use.
        RunError: If the machine had to be measured, and that failed.
    """
    gpus = environment().gpus
    # What hides GPUs from TensorFlow: an empty list, or a number that none has.
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if gpus and not hidden:
        raise InputError(
            f"Predictions are for CPUs, and TensorFlow would run on {gpus[0]}. Measure there: kerasunroll compare "
            "--no-train; or for the CPU, hide it with CUDA_VISIBLE_DEVICES=-1."
        )
    return calibration(known, anew=anew, on_progress=on_progress, warn=warn)


def advise_network(
    network: Network,
    settings: Sequence[Settings | str],
    known: Reference,
    machine: Calibration,
    *,
    training_steps: int | None = None,
    memory_limit: int | None = None,
    inference: bool = False,
) -> Advice:
    """Predict what each setting of a network will cost, and recommend one; see `advise`.

    Args:
        network: `Network`.
        settings: List of settings, or of words as on the command line.
        known: The coefficients, on the reference machine.
        machine: This machine's factors.
        training_steps: As for `advise`.
        memory_limit: As for `advise`.
        inference: As for `advise`.

    Raises:
        InputError: If a setting or a number cannot be used.
    """
    amounts = check_question(network, settings, training_steps, memory_limit)
    predictions = tuple(
        _predict(setting, each, known, machine, inference=inference) for setting, each in amounts.items()
    )
    out = {each.setting: why for each in predictions if (why := _why_out(each, memory_limit))}
    left = [each for each in predictions if each.setting not in out]
    taken = min(left, key=lambda each: each.cost(training_steps), default=None)
    others = [each for each in left if each is not taken]
    names = _figures(inference=inference)
    spread = {field: known.spread[figure] for field, figure in names.items()}
    between = {field: known.spread_between[names[field]] for field in ("ready_seconds", "step_seconds")}
    advice = Advice(
        network=network,
        predictions=predictions,
        recommended=taken.setting if taken else None,
        out=out,
        close=tuple(each.setting for each in others if taken and _close(each, taken, training_steps, between)),
        training_steps=training_steps,
        inference=inference,
        spread=spread,
    )
    return replace(advice, text=advice_text(advice))


def check_question(
    network: Network, settings: Sequence[Settings | str], training_steps: int | None, memory_limit: int | None
) -> dict[str, Work]:
    """See whether a question can be answered, before a machine is measured for it.

    Returns:
        A dict from the name of each setting, once, to the work that it is.

    Raises:
        InputError: As `advise_network`.
    """
    for name, value in (("training_steps", training_steps), ("memory_limit", memory_limit)):
        if value is not None and value < 1:
            raise InputError(f"Invalid {name}: expected an integer of at least 1, got {value}.")
    if not settings:
        raise InputError("Expected at least one setting to choose from, got none.")
    parsed = [parse_settings(setting) if isinstance(setting, str) else setting for setting in settings]
    expanded = [expand_settings(setting, len(network.layers)) for setting in parsed]
    return {settings_name(each): work(network, each) for each in expanded}


def _figures(*, inference: bool) -> dict[str, str]:
    """Return which figure is predicted for each field of a `Prediction`."""
    return {
        "ready_seconds": "forward_ready_seconds" if inference else "ready_seconds",
        "step_seconds": "forward_seconds" if inference else "step_seconds",
        "tensor_peak_bytes": "tensor_inference_peak_bytes" if inference else "tensor_peak_bytes",
        "process_growth_bytes": "process_growth_bytes",
    }


def _predict(setting: str, amounts: Work, known: Reference, machine: Calibration, *, inference: bool) -> Prediction:
    costs = {
        field: predict(figure, amounts, known.coefficients[figure], machine.factors)
        for field, figure in _figures(inference=inference).items()
    }
    return Prediction(setting, **costs, process_peak_bytes=machine.start_bytes + costs["process_growth_bytes"])


def _why_out(prediction: Prediction, memory_limit: int | None) -> str | None:
    needed = prediction.process_peak_bytes
    if memory_limit is None or needed <= memory_limit:
        return None
    return f"it would take about {format_bytes(needed)}, and the limit is {format_bytes(memory_limit)}"


def _close(a: Prediction, b: Prediction, training_steps: int | None, spread: Mapping[str, float]) -> bool:
    """Tell whether the settings differ by less than predictions of them do."""
    return abs(math.log(a.cost(training_steps) / b.cost(training_steps))) < math.hypot(
        *(_spread_of_cost(each, training_steps, spread) for each in (a, b))
    )


def _spread_of_cost(prediction: Prediction, training_steps: int | None, spread: Mapping[str, float]) -> float:
    """Return the standard deviation of the relative error of the time in all."""
    if training_steps is None:
        return spread["step_seconds"]
    ready = spread["ready_seconds"] * prediction.ready_seconds
    steps = spread["step_seconds"] * training_steps * prediction.step_seconds
    return math.hypot(ready, steps) / prediction.total_seconds(training_steps)


def _warn(problem: str) -> None:
    warnings.warn(problem, KerasunrollWarning, stacklevel=3)
