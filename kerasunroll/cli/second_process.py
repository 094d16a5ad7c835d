"""The comparison in float64 in a process of its own, beside the one in the models' precision.

Nearly all of the time of a check is TensorFlow being traced, which keeps one core busy. Where a second one is idle, it
does half of the work. The other process loads, converts and generates for itself, as the first does.
"""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Literal

from kerasunroll.cli.model_options import ModelOptions
from kerasunroll.settings import Settings

if TYPE_CHECKING:
    from kerasunroll.inspection.model_parity.of_models import InDouble

Implementation = Literal["keras", "kerasunroll"]

Ask = Callable[[int], "InDouble | None"]
"""Returns what was found in float64 on the batch of that number; `None` where the other process cannot tell."""


def alone(number: int) -> "InDouble | None":  # noqa: ARG001
    """Answer as where there is no other process."""
    return None


@contextmanager
def in_double_meanwhile(
    options: ModelOptions, setting: Settings, implementation: Implementation | None = None
) -> Iterator[Ask]:
    """Have another process compare a model with its conversion in float64, while this context is open.

    Args:
        options: `ModelOptions`.
        setting: What the model is converted to.
        implementation: Whose layers it is converted to, where the setting leaves it open.
    """
    # Who has imported TensorFlow already is no command on its own: a notebook, a test.
    if "tensorflow" in sys.modules or (os.cpu_count() or 1) < 2:
        yield alone
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        found = other.submit(_found_in_double, options, setting, implementation)
        try:
            yield lambda number: _result(found, number)
        except BaseException:
            for process in list((other._processes or {}).values()):  # nobody waits for it any more
                process.terminate()
            raise


def _result(found: "Future[list[InDouble]]", number: int) -> "InDouble | None":
    try:
        return found.result()[number]
    except Exception:  # noqa: BLE001 - this process tries for itself, and says what is wrong
        return None


def _found_in_double(
    options: ModelOptions, setting: Settings, implementation: Implementation | None
) -> "list[InDouble]":
    from kerasunroll.cli.loaded_model import batches_for, load
    from kerasunroll.inspection.model_parity.of_models import compared_in_double
    from kerasunroll.models.conversion.with_unroll import with_unroll

    model = load(options, lambda _: None)
    converted = with_unroll(model, setting, layers=options.layer, implementation=implementation)
    return [
        compared_in_double(
            model, converted, (batch.x, batch.y), training_steps=options.training_steps, seed=options.seed
        )
        for batch in batches_for(options, model, setting)
    ]
