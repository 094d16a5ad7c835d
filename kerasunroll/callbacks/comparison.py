"""The set of callbacks with which several runs compare in TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasunroll.callbacks.gradient_flow_logger import GradientFlowLogger
from kerasunroll.callbacks.gradient_norm_logger import GradientNormLogger
from kerasunroll.callbacks.graph_logger import GraphLogger
from kerasunroll.callbacks.logger import UpdateFrequency, validate_update_freq
from kerasunroll.callbacks.memory_logger import MemoryLogger
from kerasunroll.callbacks.metrics_logger import MetricsLogger
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.state_logger import StateLogger
from kerasunroll.callbacks.time_logger import TimeLogger


def comparison_callbacks(
    log_dir: str | Path | None,
    *,
    update_freq: UpdateFrequency = 10,
    graph: bool = True,
    time: bool = True,
    gradient_flow: bool = True,
    states_of: Any = None,
    sinks: Sequence[Sink] = (),
    strict: bool = False,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that log graphs, time, memory and gradients, and losses and metrics as Keras does.

    Give each variant a folder of its own below one common folder, and open TensorBoard on the common one: the run
    varies, the tags do not, so that the curves lie over each other. If something cannot be logged (gradients through
    time of a model without recurrent layers, anything on a full disk), a warning says so, and the training goes on.

    Args:
        log_dir: Path. The folder of the variant, for example `"logs/lstm-L2-U64-T64/full"`; runs `train` and
            `validation` are made in it. `None` for no TensorBoard.
        update_freq: `"epoch"`, `"batch"` or an integer: how often losses, gradient norms, times and memory are logged;
            an integer counts training steps. Defaults to 10.
        graph: Boolean. Whether to write the op-level graphs. Defaults to `True`.
        time: Boolean. Whether to log how long training steps take. Defaults to `True`.
        gradient_flow: Boolean. Whether to log gradients through time, every 50 training steps. Defaults to `True`.
        states_of: Array or `None`. Inputs, whose first sequence's inner states are shown after each epoch. Defaults to
            `None`: no states.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, such as `JsonLinesSink`: where everything is written beside
            TensorBoard, or instead of it with `log_dir=None`. Defaults to none.
        strict: Boolean. Whether the training ends with an error if something cannot be logged. Defaults to `False`.

    Returns:
        A list of Keras callbacks, to be passed to `fit`.

    Raises:
        InputError: If `update_freq` is invalid, or if there is neither a `log_dir` nor a sink.

    Example:
    >>> for name, model in variants(lstm_stack, ["loop", "full"], input_shape=(64, 1)).items():
    ...     model.compile("adam", "mse")
    ...     model.fit(x, y, callbacks=comparison_callbacks(f"logs/lstm/{name}"))
    """
    update_freq = validate_update_freq(update_freq)
    common: dict[str, Any] = {"sinks": sinks, "strict": strict}
    callbacks: list[keras.callbacks.Callback] = [
        MetricsLogger(log_dir, update_freq, **common),
        MemoryLogger(log_dir, update_freq, **common),
        GradientNormLogger(log_dir, update_freq, **common),
    ]
    if time:
        callbacks.append(TimeLogger(log_dir, update_freq, **common))
    if graph:
        callbacks.append(GraphLogger(log_dir, **common))
    if gradient_flow:
        callbacks.append(GradientFlowLogger(log_dir, **common))
    if states_of is not None:
        callbacks.append(StateLogger(log_dir, states_of, **common))
    return callbacks
