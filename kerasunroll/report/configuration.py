"""What was measured, in words. No TensorFlow."""

from kerasunroll.data.names import SourceName
from kerasunroll.models.factories.fields import CELL_NAMES
from kerasunroll.training.config import TrainingConfig
from kerasunroll.units import format_count


def describe(config: TrainingConfig) -> str:
    """Return a configuration in words.

    Example:
    >>> describe(config)  # doctest: +SKIP
    'LSTM, 2 layers of 64, 64 units, 64 time steps, batches of 32; adam, 8 epochs of digits'
    """
    stack = config.stack
    layers = f"{len(stack.units)} layers" if len(stack.units) > 1 else "1 layer"
    size = f"{layers} of {', '.join(map(str, stack.units))} units"
    words = [f"{'bidirectional ' if stack.bidirectional else ''}{CELL_NAMES.get(stack.cell, stack.cell)}", size]
    words += [f"{format_count(stack.timesteps)} time steps"] if stack.timesteps else []
    words += [f"batches of {config.batch_size}", *([stack.dtype] if stack.dtype else [])]
    words += ["compiled with XLA"] if config.jit_compile else []
    epochs = f"{config.epochs} epoch{'' if config.epochs == 1 else 's'}"
    optimizer = config.optimizer or "its own optimizer"
    return f"{', '.join(words)}; {optimizer}, {epochs} of {SourceName.parse(config.source).short}"
