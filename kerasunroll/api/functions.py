"""`kerasunroll.compare` and `kerasunroll.measure`.

A long module: a third of it is what the arguments mean.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kerasunroll.api.comparison import Comparison
from kerasunroll.api.endings import failed, warn_of_interrupt
from kerasunroll.api.progress import progress_bar
from kerasunroll.api.request.data import Data, data_of
from kerasunroll.api.request.network import network_of
from kerasunroll.api.request.request import Request
from kerasunroll.api.request.resume import refuse_beside_resume
from kerasunroll.api.request.settings import settings_of
from kerasunroll.api.request.threads import threads_of
from kerasunroll.api.running import Undertaking
from kerasunroll.data.checks import whole_number
from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.execution.local import LocalExecutor
from kerasunroll.measurement.planning.findings import is_finished
from kerasunroll.measurement.planning.quantities import parse_limits, parse_seconds
from kerasunroll.measurement.planning.rules import PROCESSES, Rules
from kerasunroll.measurement.records.folders import claim
from kerasunroll.measurement.statistics.rounds import MAX_ROUNDS, MIN_ROUNDS, TARGET_HALF_WIDTH
from kerasunroll.measurement.workers.phases import PHASES
from kerasunroll.models.shipping.pickles import pickled
from kerasunroll.settings import Settings

if TYPE_CHECKING:
    import keras

    from kerasunroll.models import StackConfig

    Model: TypeAlias = keras.Model | Callable[[Any], keras.Model] | StackConfig | str | Path


WITH_RESUME: Final = frozenset(
    {"resume", "mix_environments", "budget", "time_limit", "memory_limit", "processes", "half_width", "max_rounds"}
    | {"progress"}
)
"""What may be passed beside `resume`: how long and how exact to measure."""


def compare(
    model: "Model | None" = None,
    x: Any = None,
    y: Any = None,
    *,
    unroll: Any = ("loop", "full"),
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    validation_data: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    callbacks: Any = (),
    jit_compile: bool | None = None,
    threads: Any = None,
    seed: int = 0,
    train: bool = True,
    inference: bool | None = None,
    folder: str | Path | None = None,
    resume: Comparison | str | Path | None = None,
    mix_environments: bool = False,
    budget: str | float | None = None,
    time_limit: str | Sequence[str] = (),
    memory_limit: str | None = None,
    processes: int = PROCESSES,
    half_width: float = TARGET_HALF_WIDTH,
    max_rounds: int = MAX_ROUNDS,
    progress: bool = True,
) -> Comparison:
    """Train a model in several unroll settings, from the same weights on the same batches, and compare what each costs.

    Every setting is built, compiled and timed in fresh processes, in turns, as by the command `kerasunroll compare`.
    The model that is passed stays as it is.

    Args:
        model: A compiled `keras.Model` (Sequential, functional, or subclassed with a `get_config`); a function
            `build(unroll)` that makes and compiles one in a setting (`False` for the loop, `True` for full, an integer,
            `"own-loop"`, ..., or a tuple with one per layer); a `StackConfig`, which is trained with Adam; or the path
            of a `.keras` file. Functions and classes of a notebook or script may be used in it.
        x: What `fit` takes: arrays (N, T, F), nested in dicts or tuples for several inputs; or a `tf.data.Dataset`, a
            `keras.utils.PyDataset` or another iterable of batches `(x, y)` or `(x, y, sample_weight)`, of which one
            epoch is kept on the disk, so that every setting sees the same ones; or a data source, or its name, such as
            `"digits"`.
        y: The targets, beside arrays.
        unroll: A setting or a list of them. Defaults to `("loop", "full")`.
        sample_weight: The weights of the sequences, beside arrays.
        class_weight: Dict from class to weight, as for `fit`.
        validation_data: `(x, y)` or `(x, y, sample_weight)`; or batches. Defaults to none.
        batch_size: Integer. Sequences per training step. Defaults to 32; a dataset of batches has its own.
        epochs: Integer. How many epochs you mean to train: the verdict is for a training of that length. Defaults to 1.
        steps_per_epoch: Integer. How many batches make an epoch, for batches that never end.
        callbacks: Keras callbacks for the training, or a function of a variant's folder that returns them.
        jit_compile: Boolean. Whether XLA compiles. Defaults to `None`: as the model was compiled.
        threads: Integer, the threads of TensorFlow that share an operation (intra-op); a string such as `"2/1"`, with
            those that run operations side by side (inter-op); or a list of them: every setting is then measured with
            each. Defaults to `None`: as many as TensorFlow chooses.
        seed: Integer. Fixes the order of batches and, with a function, the weights. Defaults to 0.
        train: Boolean. Whether to train every setting to the end, with everything logged for TensorBoard; otherwise
            only its memory is counted. Defaults to `True`.
        inference: Boolean. Whether to time the forward pass and `predict` too. Defaults to `None`: only if nothing is
            trained.
        folder: Path. Where everything is kept; if it exists already, `<folder>-2`, ... is made. Defaults to a temporary
            folder, which is removed together with the `Comparison` (`save` copies it).
        resume: `Comparison`, or the folder of one. An earlier run to go on with. It has its own model, data and
            settings, so you may only say how long and how exactly to measure.
        mix_environments: Boolean. With `resume`: go on even if machine or software changed. Defaults to `False`.
        budget: String such as `"5m"`, or seconds. Time for everything. Defaults to none.
        time_limit: String such as `"10m"` for any phase of a worker, or `"compile=2m"`; or a list of these.
        memory_limit: String such as `"4GB"`. How much memory a worker may use.
        processes: Integer. In how many fresh processes each setting is compiled and timed. Defaults to 3.
        half_width: Float. How narrow to make the interval of each ratio. Defaults to 0.03, which is ±3 %.
        max_rounds: Integer, at least 10. Rounds of timing at most. Defaults to 40.
        progress: Boolean. Whether to show a progress bar. Defaults to `True`.

    Returns:
        A `Comparison`. After Ctrl-C, or when the budget is spent, it says what is `missing`;
        `compare(resume=comparison)` goes on.

    Raises:
        InputError: If an argument cannot be used. Nothing is left behind then.
        RunError: If the results cannot be written, such as on a full disk.
        KeyboardInterrupt: If nothing was measured yet.

    Example:
    >>> comparison = kerasunroll.compare(model, x, y, unroll=["loop", "full", 8], epochs=20)  # doctest: +SKIP
    >>> comparison.verdict.text
    'Take full: ...'
    """
    rules = limits_of(budget, time_limit, memory_limit, processes, half_width, max_rounds)
    if resume is not None:
        refuse_beside_resume(compare, locals(), WITH_RESUME)
        return _resumed(resume, rules, mix_environments=mix_environments, progress=progress)
    request = _request(
        model,
        settings_of(unroll),
        data_of(
            x,
            y,
            sample_weight=sample_weight,
            class_weight=class_weight,
            validation_data=validation_data,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
        ),
        callbacks,
        epochs=whole_number("epochs", epochs, at_least=1),
        seed=whole_number("seed", seed, at_least=0),
        jit_compile=jit_compile,
        threads=threads_of(threads),
        follow_up="training" if train else "memory",
        inference=not train if inference is None else inference,
    )
    temporary = Path(tempfile.mkdtemp(prefix="kerasunroll-")) if folder is None else None
    place = claim(temporary / "compare" if temporary else Path(str(folder)))
    with _nothing_left(temporary or place):
        plan = request.write(place)
        undertaking = Undertaking(plan, replace(rules, inference=plan.inference), LocalExecutor())
    try:
        comparison = _carried_out(undertaking, place, progress=progress)
    except KeyboardInterrupt:  # before anything was measured
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary:
        comparison.remove_with_me(temporary)
    return comparison


def measure(
    model: "Model | None" = None, x: Any = None, y: Any = None, *, unroll: Any = None, **options: Any
) -> Comparison:
    """Measure what a model costs to build, compile, run and hold in memory, without training it to the end.

    Args:
        model: As for `compare`.
        x: As for `compare`.
        y: As for `compare`.
        unroll: A setting or a list of them. Defaults to `None`: the loop; with `resume`, those of the earlier run.
        **options: The other arguments of `compare`, except `train`.

    Returns:
        A `Comparison`, of one setting or several.

    Raises:
        InputError: As `compare`.
        RunError: As `compare`.

    Example:
    >>> kerasunroll.measure(model, x, y).table["forward_seconds"]  # doctest: +SKIP
    """
    if options.get("resume") is None:
        options["train"] = False
        unroll = "loop" if unroll is None else unroll
    return compare(model, x, y, **options, **({} if unroll is None else {"unroll": unroll}))


def limits_of(
    budget: str | float | None,
    time_limit: str | Sequence[str],
    memory_limit: str | None,
    processes: int,
    half_width: float,
    max_rounds: int,
) -> Rules:
    """Return what a measurement may take, as it was passed to `compare`.

    Raises:
        InputError: If something passed cannot be used.
    """
    if not isinstance(half_width, int | float) or not 0 < half_width <= 1:
        raise InputError(f"half_width must lie above 0 and be at most 1, got {half_width!r}. 0.03 is ±3 %.")
    seconds = math.inf if budget is None else parse_seconds(str(budget), "budget")
    limits = list(map(str, [time_limit] if isinstance(time_limit, str | int | float) else time_limit))
    memory = None if memory_limit is None else str(memory_limit)
    return Rules(
        limits=parse_limits(limits, memory, PHASES, option="{}_limit"),
        half_width=half_width,
        max_rounds=whole_number("max_rounds", max_rounds, at_least=MIN_ROUNDS),
        processes=whole_number("processes", processes, at_least=1),
        deadline=time.monotonic() + seconds,
    )


def _request(model: Any, settings: list[Settings], data: Data, callbacks: Any, **options: Any) -> Request:
    network = network_of(model, data, settings[0], seed=options["seed"])
    return Request(network, data, settings, _shipped(callbacks), **options)


def _shipped(callbacks: Any) -> bytes | None:
    """Return callbacks, or the function that makes them, as a worker reads them."""
    import keras

    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    if not callable(callbacks):
        if not isinstance(callbacks, list | tuple) or any(
            not isinstance(each, keras.callbacks.Callback) for each in callbacks
        ):
            raise InputError(
                "Expected callbacks=[...] of keras.callbacks.Callback, or a function of a folder that returns them, "
                f"got {callbacks!r}."
            )
        callbacks = list(callbacks)
    return pickled("callbacks", callbacks) if callbacks else None


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """Remove a folder that was made just now, if what goes into it cannot be used after all."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _resumed(earlier: "Comparison | str | Path", rules: Rules, *, mix_environments: bool, progress: bool) -> Comparison:
    folder = earlier.folder if isinstance(earlier, Comparison) else Path(earlier)
    undertaking = Undertaking.begun(folder, rules, LocalExecutor(), mix_environments=mix_environments)
    comparison = _carried_out(undertaking, folder, progress=progress)
    if isinstance(earlier, Comparison):
        comparison.keeps(earlier)
    return comparison


def _carried_out(undertaking: Undertaking, folder: Path, *, progress: bool) -> Comparison:
    try:
        with progress_bar(shown=progress) as on_progress:
            comparison = undertaking.carry_out(folder, on_progress)
            comparison.write(on_progress)
    except KeyboardInterrupt:
        comparison = _interrupted(folder)
    except RunError as error:
        raise failed(error, "compare", folder) from error
    return comparison


def _interrupted(folder: Path) -> Comparison:
    try:
        comparison = Comparison.load(folder)
    except InputError:  # there is no record
        raise KeyboardInterrupt from None
    if not any(map(is_finished, comparison.records)):
        raise KeyboardInterrupt
    warn_of_interrupt("compare", "comparison", comparison.missing)
    return comparison
