"""What comes from a browser, checked; and what goes back."""

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.backend import http_util
from werkzeug.wrappers import Request, Response

from kerasunroll.errors import InputError, KerasunrollError

LONGEST = 2_000
"""Of a name."""


class Arguments:
    """The arguments of a request, which anyone may have written.

    Args:
        request: Werkzeug's.
    """

    def __init__(self, request: Request) -> None:
        self._values = request.args

    def text(self, name: str) -> str:
        """Return a text: only ever compared with names that are known, and given back as JSON.

        Raises:
            InputError: If it is missing or too long.
        """
        value = self._values.get(name, "")
        if not 0 < len(value) <= LONGEST:
            raise InputError(f"{name}: expected a name of 1 to {LONGEST} characters, got {len(value)}.")
        return str(value)

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number, or `None` where none was given.

        Raises:
            InputError: If it is no whole number, or not within `low` and `high`.
        """
        value = self._values.get(name)
        if value in (None, ""):
            return None
        try:
            number = int(str(value))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise InputError(f"{name}: expected a whole number from {low} to {high}, got {str(value)[:40]!r}.")
        return number


def answered(answer: Callable[[Request], Any]) -> Callable[..., Any]:
    """Return a WSGI application that answers with JSON, and in one sentence where it cannot."""

    @Request.application
    def application(request: Request) -> Response:
        try:
            return respond(request, answer(request), "application/json")
        except KerasunrollError as error:
            return respond(request, {"error": str(error)}, "application/json", code=400)

    return application


def respond(request: Request, content: Any, content_type: str, **options: Any) -> Response:
    """Return a response as TensorBoard's own are."""
    response: Response = http_util.Respond(request, content, content_type, **options)
    return response


def numbers(values: npt.ArrayLike) -> dict[str, Any]:
    """Return an array for the browser, float64, in base64: JSON has no NaN, and is slow for many numbers."""
    array = np.ascontiguousarray(values, dtype="<f8")
    return {"shape": list(array.shape), "float64": base64.b64encode(array.tobytes()).decode()}


def number(value: float | None) -> float | None:
    """Return a number that JSON has, or `None`."""
    return value if value is not None and math.isfinite(value) else None
