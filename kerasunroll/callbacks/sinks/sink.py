"""The interface of a sink."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.generic]


class Sink:
    """Takes what the callbacks log. Base class of every sink, including your own.

    A subclass overrides what it can keep; the other methods do nothing. All of them are called in the thread that runs
    `fit`, one at a time. If one raises an error, the sink is off until the next `fit`, with one warning; the training
    and the other sinks go on (with `strict=True` the error ends the training).

    A sink belongs to one training, as a `log_dir` does: several loggers share it, two settings do not.

    Arguments that the methods have in common:

    - `run`: String. What an entry is about: `"train"`, `"validation"`, or `"forward"` for the forward pass;
    - `tag`: String. The name of the curve or picture, such as `"gradient_norm/global"`;
    - `step`: Integer. The training step; under a tag `epoch_*`, the epoch, from 0.

    Example:
    >>> class PrintSink(Sink):
    ...     def scalars(self, run, values, step, wall_time):
    ...         print(run, step, values)
    >>> model.fit(x, y, callbacks=comparison_callbacks(None, sinks=[PrintSink()]))
    """

    _failed_in: object = "no fit"
    """The `fit` in which the sink failed, kept for the loggers."""

    def __str__(self) -> str:
        """Return how a warning names the place that is written into; the name of the class by default."""
        return type(self).__name__

    def scalars(self, run: str, values: Mapping[str, float], step: int, wall_time: float) -> None:
        """Take one number per tag.

        Args:
            run: String.
            values: Dict from tag to float, which may be infinite or NaN. Its unit is at the end of the tag, such as
                `_seconds` or `_bytes`.
            step: Integer.
            wall_time: Float. When the numbers were logged, in seconds since 1970.
        """

    def text(self, run: str, tag: str, markdown: str, step: int) -> None:
        """Take a text, in Markdown."""

    def note(self, run: str, markdown: str) -> None:
        """Take a remark that every logger of a training may make; by default a text with the tag `"note"`."""
        self.text(run, "note", markdown, 0)

    def image(self, run: str, tag: str, png: bytes, width: int, height: int, step: int) -> None:
        """Take a picture, the bytes of a PNG file, with its width and height in pixels."""

    def array(self, run: str, tag: str, values: Array, step: int, about: Mapping[str, Any]) -> None:
        """Take an array, such as the norms of a gradient over time; `about` says in JSON values what it is."""

    def facts(self, run: str, tag: str, values: Mapping[str, Any], step: int) -> None:
        """Take JSON values by name, such as how many operations of each type a graph has."""

    def graph(self, run: str, graph_def: Any) -> None:
        """Take an op-level graph, a `tf.compat.v1.GraphDef`."""

    def layers(self, run: str, model_json: str) -> None:
        """Take the layers of a model, as `model.to_json()` gives them."""

    def close(self) -> None:
        """Write the rest and let go of files.

        Every logger calls it when a training ends. So it may be called more than once, and entries of another logger,
        or of the next `fit`, may follow. Append them to the earlier ones.
        """
