"""What the numbers of a comparison are called in TensorBoard.

They are shown there as they are written. So, unlike in records, a number has the unit in which people read it, and the
end of its tag says which. The run varies, the tag does not: curves of the same tag lie over each other.
"""

from typing import Final

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

VERDICT: Final = "comparison/verdict"
"""In the Text tab."""
