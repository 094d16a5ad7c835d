"""`kerasunroll.deploy`: which setting to take to the device."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kerasunroll.api.endings import failed, warn_of_interrupt
from kerasunroll.api.functions import limits_of
from kerasunroll.api.progress import progress_bar
from kerasunroll.api.request.deployment import new_deployment
from kerasunroll.api.request.resume import refuse_beside_resume
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.run import DeploymentRun
from kerasunroll.deployment.verdict import DeviceLimits
from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.planning.findings import is_finished
from kerasunroll.measurement.planning.quantities import parse_bytes, parse_seconds
from kerasunroll.measurement.planning.rules import Rules

if TYPE_CHECKING:
    import keras

    from kerasunroll.models import StackConfig

LIMITS: Final = frozenset({"flash_limit", "latency_limit", "builtins_only", "micro"})
"""What the verdict is judged by. Beside `resume` it takes the place of what the run was begun with."""

WITH_RESUME: Final = LIMITS | {
    *("resume", "mix_environments", "budget", "time_limit", "memory_limit", "processes", "half_width", "max_rounds"),
    "progress",
}
"""What may be passed beside `resume`: how to judge, and how long and how exact to measure."""


def deploy(
    model: "keras.Model | StackConfig | str | Path | None" = None,
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
    resume: Deployment | str | Path | None = None,
    mix_environments: bool = False,
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
        threads: Integer or a list. Threads of the runtime; of several numbers, each is timed. Defaults to 1.
        streaming: Boolean. Whether to try a stateful network of one time step as well, called T times: what a
            microcontroller runs. Defaults to `False`.
        flash_limit: String such as `"256kB"`. How large the file may be.
        latency_limit: String such as `"5ms"`, or seconds. How long one inference may take here.
        builtins_only: Boolean. Whether the plain LiteRT interpreter has to run it. Defaults to `False`.
        micro: Boolean. Whether TensorFlow Lite Micro has to know its operations. Defaults to `False`.
        custom_objects: Strings, `"module:name"`, for a `.keras` file.
        seed: Integer. Draws made-up sequences. The weights of a `StackConfig` come from its own seed. Defaults to 0.
        folder: Path. Where files, logs and records are kept; if it exists, `<folder>-2`, ... is made.
        resume: `Deployment`, or the folder of one. An earlier run to go on with. It has its own model, sequences and
            settings, so you may only pass limits, and how long and how exactly to measure. Files that are as they were
            made are not made again; what takes turns is timed again as a whole if a part of it is missing.
        mix_environments: As for `compare`.
        budget: As for `compare`.
        time_limit: As for `compare`; the phases are `build`, `convert`, `check` and `steady`.
        memory_limit: As for `compare`.
        processes: As for `compare`.
        half_width: As for `compare`.
        max_rounds: As for `compare`.
        progress: As for `compare`.

    Returns:
        A `Deployment`. After Ctrl-C, or when the budget is spent, it says what is `missing`;
        `deploy(resume=deployment)` goes on.

    Raises:
        InputError: If an argument cannot be used. Nothing is left behind then.
        RunError: If the results cannot be written.
        KeyboardInterrupt: If nothing was made yet.

    Example:
    >>> deployment = kerasunroll.deploy(model, x, flash_limit="256kB")  # doctest: +SKIP
    >>> deployment.verdict.text
    'Take full with a fixed batch. ...'
    >>> deployment.write("model.tflite")
    """
    limits = device_limits(flash_limit, latency_limit, builtins_only=builtins_only, micro=micro)
    rules = limits_of(budget, time_limit, memory_limit, processes, half_width, max_rounds)
    if resume is not None:
        refuse_beside_resume(deploy, locals(), WITH_RESUME)
        earlier = resume.folder if isinstance(resume, Deployment) else Path(resume)
        run = DeploymentRun.begun(
            earlier, None if limits == DeviceLimits() else limits, mix_environments=mix_environments
        )
        return _carried_out(run, rules, progress=progress)
    if model is None:
        raise InputError("Expected a model, as in deploy(model, x), or resume= with the folder of an earlier run.")
    run = new_deployment(
        model,
        x,
        Path(folder),
        limits,
        unroll=unroll,
        target=target,
        quantize=quantize,
        batch_size=batch_size,
        threads=threads,
        streaming=streaming,
        custom_objects=custom_objects,
        seed=seed,
    )
    return _carried_out(run, rules, progress=progress)


def device_limits(
    flash_limit: str | None, latency_limit: str | float | None, *, builtins_only: bool, micro: bool
) -> DeviceLimits:
    """Return what a device allows, as it was passed to `deploy`.

    Raises:
        InputError: If something passed cannot be used.
    """
    return DeviceLimits(
        None if flash_limit is None else parse_bytes(str(flash_limit), "flash_limit"),
        None if latency_limit is None else parse_seconds(str(latency_limit), "latency_limit"),
        builtins_only,
        micro,
    )


def _carried_out(run: DeploymentRun, rules: Rules, *, progress: bool) -> Deployment:
    try:
        with progress_bar(shown=progress) as on_progress:
            return run.carry_out(rules, on_progress)
    except KeyboardInterrupt:
        return _interrupted(run.folder)
    except RunError as error:
        raise failed(error, "deploy", run.folder) from error


def _interrupted(folder: Path) -> Deployment:
    deployment = Deployment.load(folder)
    if not any(map(is_finished, deployment.records)):
        raise KeyboardInterrupt
    warn_of_interrupt("deploy", "deployment", deployment.missing)
    return deployment
