"""What a network is asked to learn; a data source offers a task, a factory builds the head for it."""

from dataclasses import dataclass

from kerasunroll.errors import InputError


@dataclass(frozen=True)
class Classification:
    """Choose one of `classes`; the head gives logits of shape `(batch, classes)`.

    In a many-to-many stack the choice is made at every time step: `(batch, timesteps, classes)`.

    Args:
        classes: Integer, at least 2.
    """

    classes: int

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"Classification needs at least 2 classes, got classes={self.classes}.")


@dataclass(frozen=True)
class Regression:
    """Predict `outputs` real numbers; the head gives shape `(batch, outputs)`.

    In a many-to-many stack they are predicted at every time step: `(batch, timesteps, outputs)`.

    Args:
        outputs: Integer, at least 1.
    """

    outputs: int = 1

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise InputError(f"Regression needs at least 1 output, got outputs={self.outputs}.")


Task = Classification | Regression
