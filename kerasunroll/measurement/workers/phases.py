"""What a worker does, one after the other: each phase has a time limit of its own."""

from typing import Final

PHASES: Final = ("start", "import", "build", "compile", "steady", "forward", "train", "convert", "check")
"""From the start of the process on. `compile` traces too; `steady` takes turns; `forward` compiles the forward pass
(and runs it, where memory is counted); `train` comes where one trains; `convert` and `check` where a file is made."""
