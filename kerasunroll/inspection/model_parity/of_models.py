"""Do two models compute the same? `parity` answers.

A long module: half of it is docstrings, of the questions of a proof, in the order in which they are asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError
from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.model.batches import as_batch
from kerasunroll.inspection.model.layers import weight_path
from kerasunroll.inspection.model_parity.differences import Reading, differences, rounding
from kerasunroll.inspection.model_parity.in_double import (
    DOUBLE,
    NoDoubleError,
    double_copy,
    double_precision,
    in_double,
    told_by,
)
from kerasunroll.inspection.model_parity.made_up_batch import output_specs
from kerasunroll.inspection.model_parity.result import LAYER_OUTPUT, STATE, Difference, Parity
from kerasunroll.inspection.model_parity.run import LEARNING_RATE, Start, Subject, preserved, trains_as_it_infers
from kerasunroll.models.building import build_from, is_built

_BATCH_MISFIT: Final = (ValueError, TypeError, LookupError, tf.errors.OpError)
"""What Keras and TensorFlow raise when a batch does not suit a model or its loss."""


_OTHER_OPTIMIZER: Final = "The optimizers of the two models are not of the same kind and in the same state."


def parity(a: Any, b: Any, data: Any, *, training_steps: int = 3, seed: int = 0, jit_compile: bool = False) -> Parity:
    """Tell whether two models that should compute the same do.

    It compares the weights, the outputs, what every recurrent layer returns, its states at every time step, the loss,
    and its gradient with respect to every weight and every floating input. It does so before training and after some
    training steps, in the models' own precision and between copies in float64. Both run as TensorFlow graphs.

    Float64 tells rounding from a real difference, because rounding is far smaller there than any error that matters:
    see `kerasunroll.inspection.model_parity.differences` for the tolerance. If a model cannot be copied to float64, its
    own precision decides, with the tolerance that belongs to it, and the report says so.

    The training steps are those of the models' optimizer on their loss; a `train_step` of their own is not called.
    Both start with the seeds and the stateful states of `a`. Layers that draw random numbers are compared in training
    mode if both models draw the same numbers in the same order; else the training steps are taken in inference mode,
    and the report says so. The models are left as they were: weights, optimizer, seeds, states.

    Args:
        a: A `keras.Model`. One that is not built yet is built from the batch.
        b: A `keras.Model` with as many weights, of the same shapes, in the same order.
        data: One batch: a tuple `(x, y)` with the inputs, nested as the models take them, and the targets; or the
            inputs alone. Without targets, or if a model is not compiled, a loss is made up: the mean squared difference
            of the outputs from a fixed random target.
        training_steps: Integer of at least 0. Defaults to 3.
        seed: Integer. Draws the target of a made-up loss. Defaults to 0.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.

    Returns:
        A `Parity`; its `verdict` is `"identical"`, `"equal to rounding"` or `"different"`; `str()` of it is a text.

    Raises:
        InputError: If the models do not have the same weights or inputs, or the batch does not suit them.

    Example:
    >>> parity(loop, full, (x, y)).verdict
    'equal to rounding'
    """
    return compared(a, b, data, training_steps=training_steps, seed=seed, jit_compile=jit_compile)


@dataclass(frozen=True)
class InDouble:
    """What was found between copies of two models in float64.

    Args:
        differences: Tuple of `Difference`; empty where there is a problem.
        problem: String: why the models could not be compared in float64; empty if they could.
    """

    differences: tuple[Difference, ...] = ()
    problem: str = ""


def compared(
    a: Any,
    b: Any,
    data: Any,
    *,
    training_steps: int,
    seed: int,
    jit_compile: bool = False,
    in_double: Callable[[], InDouble | None] = lambda: None,
) -> Parity:
    """Do what `parity` does; what was found in float64 may come from elsewhere.

    Args:
        a: As for `parity`.
        b: As for `parity`.
        data: As for `parity`.
        training_steps: As for `parity`.
        seed: As for `parity`.
        jit_compile: As for `parity`.
        in_double: Asked at the end for what `compared_in_double` found; `None` is no answer.
    """
    job = _Job.of(a, b, data, training_steps, seed, jit_compile)
    notes = [] if job.targets is not None or not training_steps or _same_optimizers(a, b) else [_OTHER_OPTIMIZER]
    own, timesteps = _compare(job, notes)
    double: tuple[Difference, ...] = ()
    if a.compute_dtype != DOUBLE:
        found = in_double() or _in_double(job)
        double = found.differences
        notes += [f"{found.problem} So {a.compute_dtype} decides."] if found.problem else []
    return Parity(
        names=(a.name, b.name),
        dtype=a.compute_dtype,
        own=own,
        double=double,
        training_steps=training_steps,
        loss=_loss_text(seed) if job.targets is not None else "that of the models",
        tolerance=rounding(_eps(DOUBLE if double else a.compute_dtype), timesteps),
        notes=tuple(notes),
    )


def compared_in_double(a: Any, b: Any, data: Any, *, training_steps: int, seed: int) -> InDouble:
    """Compare copies of two models in float64; the arguments are those of `parity`."""
    return _in_double(_Job.of(a, b, data, training_steps, seed, jit_compile=False))


@dataclass(frozen=True)
class _Job:
    """Two models, and what they are compared on; `targets` is that of a made-up loss, if it is one."""

    a: Any
    b: Any
    x: Any
    y: Any
    targets: Sequence[Array] | None
    training_steps: int
    jit_compile: bool

    @classmethod
    def of(cls, a: Any, b: Any, data: Any, training_steps: int, seed: int, jit_compile: bool) -> "_Job":
        if training_steps < 0:
            raise InputError(f"Expected training_steps of at least 0, got {training_steps}.")
        x, y = _split(data)
        for model in (a, b):
            if isinstance(model, keras.Model):
                build_from(model, x)
        check_same_weights(a, b)
        x, y, _ = as_batch(a, x, y)
        as_batch(b, x, y)
        made_up = y is None or not (a.compiled and b.compiled)
        return cls(a, b, x, y, _targets(a, x, seed) if made_up else None, training_steps, jit_compile)


def check_same_weights(a: Any, b: Any) -> None:
    """Refuse models whose weights do not correspond one by one.

    Raises:
        InputError: If one is no built model, or the number, the shapes or what is trained differ; the message names the
            first weight that does not match.
    """
    for model in (a, b):
        if not isinstance(model, keras.Model):
            raise InputError(f"Expected a keras.Model, got {type(model).__name__}: {model!r}.")
        if not is_built(model):
            raise InputError(f"Model '{model.name}' is not built. Give it a keras.Input, or call it once on a batch.")
    for one, other in zip(a.weights, b.weights, strict=False):
        if tuple(one.shape) != tuple(other.shape) or one.trainable != other.trainable:
            raise InputError(
                f"The models have not the same weights: {_described(one, a)} in '{a.name}', "
                f"{_described(other, b)} in '{b.name}'. Compare a model with a clone of it."
            )
    if len(a.weights) != len(b.weights):
        longer = max((a, b), key=lambda model: len(model.weights))
        extra = longer.weights[min(len(a.weights), len(b.weights))]
        raise InputError(
            f"The models have not the same weights: {len(a.weights)} in '{a.name}', {len(b.weights)} in '{b.name}', "
            f"of which {_described(extra, longer)} is the first without a partner. Compare a model with a clone of it."
        )


def _compare(job: _Job, notes: list[str]) -> tuple[tuple[Difference, ...], int]:
    """Return all differences, and the number of time steps of the longest sequence; add to the notes."""
    a, b, training_steps = job.a, job.b, job.training_steps
    start = Start.of(a)
    y = None if job.targets is not None else job.y
    subjects = []
    readings = []
    for model in (a, b):
        with _misfit_told(model):
            subjects.append(Subject(model, job.x, y, job.targets, jit_compile=job.jit_compile))
    training = training_steps > 0 and _comparable_in_training(subjects, start, notes)
    for subject in subjects:
        with _misfit_told(subject.model):
            readings.append(subject.readings(start, training_steps, training=training))
    reason = next((subject.states_left_out for subject in subjects if subject.states_left_out), None)
    if reason:
        notes.append(f"States were not compared. {reason}")
    paired = _paired(readings[0], readings[1], notes)
    timesteps = max([1, *(time for subject in subjects for time in subject.timesteps)])
    return differences(*paired, dtype=a.compute_dtype, eps=_eps(a.compute_dtype), timesteps=timesteps), timesteps


def _in_double(job: _Job) -> InDouble:
    try:
        with double_precision():
            x, y = in_double((job.x, job.y))
            try:
                copies = replace(job, a=double_copy(job.a), b=double_copy(job.b), x=x, y=y)
                return InDouble(_compare(copies, [])[0])
            except InputError as error:
                raise NoDoubleError(f"The copies in float64 could not be run: {error}") from error
    except NoDoubleError as error:
        return InDouble(problem=str(error))


def _comparable_in_training(subjects: list[Subject], start: Start, notes: list[str]) -> bool:
    """Tell whether there is a training mode of its own in which the two can be compared; add to the notes if not."""
    if all(trains_as_it_infers(subject.model) for subject in subjects):
        return False
    draws = []
    for subject in subjects:
        with _misfit_told(subject.model), preserved(subject.model):
            draws.append(subject.draws())
    if not any(draws):
        return True
    a, b = draws
    stateless = all(draw.operation.startswith("Stateless") for draw in a + b)
    if a == b and stateless and start.fits(subjects[1].model):
        notes.append("Both models draw the same random numbers, so that training mode is compared too.")
        return True
    notes.append(
        "The models do not draw the same random numbers in the same order (dropout, noise): they were compared, and "
        "trained, in inference mode only."
    )
    return False


def _paired(a: list[Reading], b: list[Reading], notes: list[str]) -> tuple[list[Reading], list[Reading]]:
    """Leave out the kinds of which there are not the same arrays in both."""
    shapes = [
        {kind: [each.value.shape for each in readings if each.kind == kind] for kind in {each.kind for each in a + b}}
        for readings in (a, b)
    ]
    unlike = {kind for kind in shapes[0] if shapes[0][kind] != shapes[1][kind]}
    for kind in sorted(unlike - {STATE, LAYER_OUTPUT}):
        raise InputError(
            f"The models have not the same {kind}s: {_shapes(shapes[0][kind])} against {_shapes(shapes[1][kind])}. "
            "Compare a model with a clone of it."
        )
    notes.extend(f"The {kind}s were not compared: they can be read in one of the models only." for kind in unlike)
    return [each for each in a if each.kind not in unlike], [each for each in b if each.kind not in unlike]


@contextmanager
def _misfit_told(model: Any) -> Iterator[None]:
    """Say of an error of Keras's or TensorFlow's which model could not take the batch."""
    try:
        yield
    except InputError:
        raise
    except _BATCH_MISFIT as error:
        raise InputError(
            f"Model '{model.name}' could not be run on this batch: {told_by(error).rstrip('.')}. Give it a batch that "
            "suits its inputs and its loss."
        ) from error


def _split(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, tuple):
        return data, None
    if len(data) != 2:
        raise InputError(f"Expected data to be (x, y), or x alone, got a tuple of {len(data)}.")
    x, y = data
    return x, y


def _same_optimizers(a: Any, b: Any) -> bool:
    one, other = a.optimizer, b.optimizer
    states = [[each.numpy() for each in optimizer.variables] for optimizer in (one, other)]
    return (
        type(one) is type(other)
        and len(states[0]) == len(states[1])
        and all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*states, strict=True))
    )


def _targets(model: Any, x: Any, seed: int) -> list[Array]:
    """Return a random target for each floating output."""
    with _misfit_told(model):
        outputs = tree.flatten(output_specs(model, x))
    rng = np.random.default_rng(seed)
    return [rng.normal(size=each.shape) for each in outputs if each.dtype.is_floating]


def _loss_text(seed: int) -> str:
    return (
        f"made up: mean squared distance of the outputs from a fixed random target (seed {seed}), trained by gradient "
        f"descent with a learning rate of {LEARNING_RATE}"
    )


def _eps(dtype: str) -> float:
    return float(tf.experimental.numpy.finfo(tf.as_dtype(dtype).as_numpy_dtype).eps)


def _described(weight: Any, model: Any) -> str:
    trained = "" if weight.trainable else " (not trained)"
    return f"{weight_path(weight, model)} of shape {tuple(weight.shape)}{trained}"


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "none"
