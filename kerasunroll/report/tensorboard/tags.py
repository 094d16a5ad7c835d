"""What the numbers of a comparison are called in TensorBoard.

They are shown there as they are written. So, unlike in records, a number has the unit in which people read it, and the
end of its tag says which. The run varies, the tag does not: curves of the same tag lie over each other.
"""

from typing import Final, NamedTuple

STEP: Final = "comparison/step_ms"
COMPILE: Final = "comparison/compile_s"
PROCESS_MEMORY: Final = "comparison/process_added_MB"
TENSOR_MEMORY: Final = "comparison/tensor_peak_MB"
FINAL_LOSS: Final = "comparison/final_loss"
FINAL_VALIDATION_LOSS: Final = "comparison/final_validation_loss"

TIME_IN_ALL: Final = "comparison/time_in_all_s"
"""Over training steps."""

TIME_LOW: Final = "comparison/time_in_all_s_low"
TIME_HIGH: Final = "comparison/time_in_all_s_high"
"""The ends of its interval."""

STEP_BY_ROUND: Final = "comparison/by_round/step_ms"
RATIO_BY_ROUND: Final = "comparison/by_round/ratio"


class Shown(NamedTuple):
    """How a figure is shown.

    Args:
        tag: String.
        factor: Float. What a number in seconds or bytes is multiplied by.
        title: String.
    """

    tag: str
    factor: float
    title: str


OVER_TIME_STEPS: Final = {
    "ready_seconds": Shown("comparison/over_T/compile_s", 1.0, "build, trace and compile, s"),
    "step_seconds": Shown("comparison/over_T/step_ms", 1e3, "a training step, ms"),
    "process_growth_bytes": Shown("comparison/over_T/process_added_MB", 1e-6, "what the process added, MB"),
    "tensor_added_bytes": Shown("comparison/over_T/tensor_added_MB", 1e-6, "tensors of a training step, MB"),
    "training_step_nodes": Shown("comparison/over_T/graph_nodes", 1.0, "graph nodes of a training step"),
}
"""The figures of a sweep."""

VERDICT: Final = "comparison/verdict"
PICTURES: Final = "comparison"
"""The pictures of what a setting costs are below it."""

GRADIENTS: Final = "gradient_through_time/all_settings"
"""Beside the pictures of each setting, which the callbacks log."""
