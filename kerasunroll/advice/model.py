"""The cost model: what a network costs is its work, each kind of it times a coefficient.

    cost(figure) = Σ over cells and ways  Σ over kinds of work  amount × coefficient × factor

Times have a constant part, a part for every time step (launching its operations) and a part for every multiplication,
so that a small product runs at a lower rate than a large one, as it does. The coefficients were fitted once, on a
reference machine (`reference.json`). The factors are this machine's: how much longer it takes than the reference one to
compile, to launch, to copy, to multiply, with Keras's layers and with kerasunroll's (`kerasunroll.advice.calibration`).
Memory has no factor: the same version of TensorFlow takes the same everywhere.

Both fits are non-negative least squares of the relative error: no work has a negative cost, and a millisecond counts as
much of 5 ms as a second of 5 s (Lawson & Hanson, *Solving Least Squares Problems*, 1974, ch. 23). The first of them is
robust (Huber, *Robust estimation of a location parameter*, 1964; by iterated reweighting).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kerasunroll.advice.amounts import Part, Work, whose

REWEIGHTINGS: Final = 10
NEAR: Final = 0.1
"""Relative errors beyond this count by their size, no more by its square: a disturbed measurement is no rule."""

Scope: TypeAlias = Literal["whose", "way", "cell whose", "cell way"]
"""What shares a coefficient: the settings of Keras and those of kerasunroll, or a way; or a cell in one of these."""

_COMPILING: Final[Mapping[str, Scope]] = {
    "start": "whose",
    "network": "whose",
    "layer": "cell way",
    "kernels": "cell way",
    "copies": "cell way",
}
_RUNNING: Final[Mapping[str, Scope]] = {
    "network": "whose",
    "layer": "whose",
    "time_steps": "cell way",
    "iterations": "cell way",
    "elements": "cell way",
    "inputs": "way",
    "recurrence": "whose",
    "projection": "whose",
    "weights": "whose",
}
_TENSORS: Final[Mapping[str, Scope]] = {
    "network": "whose",
    "layer": "way",
    "elements": "cell whose",
    "passing": "cell whose",
    "inputs": "whose",
    "weights": "whose",
}

FIGURES: Final[Mapping[str, Mapping[str, Scope]]] = {
    "ready_seconds": _COMPILING,
    "step_seconds": {**_RUNNING, "gradients": "way", "spilled": "way"},
    "forward_ready_seconds": _COMPILING,
    "forward_seconds": _RUNNING,
    "tensor_peak_bytes": {**_TENSORS, "gradients": "way"},
    "tensor_inference_peak_bytes": _TENSORS,
    "process_growth_bytes": {
        "network": "whose",
        "layer": "whose",
        "kernels": "whose",
        "copies": "cell way",
        "elements": "whose",
        "weights": "whose",
    },
}
"""What is predicted, of which kinds of work it is made, and what shares the coefficient of each."""

KINDS: Final[Mapping[str, Sequence[str]]] = {
    "launches": ("network", "layer", "time_steps", "iterations"),
    "copies": ("elements", "inputs", "weights", "gradients", "spilled"),
    "products": ("recurrence", "projection"),
}
"""The kinds of work that a machine may do faster or slower than another one, but for compiling."""

Coefficients: TypeAlias = Mapping[str, Mapping[str, float]]
"""From what shares a coefficient, such as `"own"` or `"lstm full"`, to the cost of one piece of each kind of work."""

Factors: TypeAlias = Mapping[str, float]
"""From `"keras launches"` and the like to how much longer this machine takes than the reference one."""


@dataclass(frozen=True)
class Example:
    """Something measured, to learn from.

    Args:
        work: What `kerasunroll.advice.amounts.work` returned.
        value: Float. What it cost, in seconds or bytes.
    """

    work: Work
    value: float


def predict(figure: str, work: Work, coefficients: Coefficients, factors: Factors) -> float:
    """Return a figure of a network, in seconds or bytes.

    Args:
        figure: String. One of `FIGURES`.
        work: What `kerasunroll.advice.amounts.work` returned.
        coefficients: Those of that figure.
        factors: This machine's. One that is missing is 1.
    """
    return sum(cost * factors.get(kind, 1.0) for kind, cost in costs_by_kind(figure, work, coefficients).items())


def costs_by_kind(figure: str, work: Work, coefficients: Coefficients) -> dict[str, float]:
    """Return what each kind of work costs on the reference machine."""
    costs: dict[str, float] = {}
    for part, amounts in work.items():
        for name in FIGURES[figure]:
            kind, known = factor_name(figure, part, name), coefficients.get(sharing(figure, part, name), {})
            costs[kind] = costs.get(kind, 0.0) + amounts.get(name, 0.0) * known.get(name, 0.0)
    return costs


def sharing(figure: str, part: Part, name: str) -> str:
    """Return what shares the coefficient of a kind of work, such as `"lstm full"`."""
    cell, way = part
    scope = FIGURES[figure][name]
    own = whose(way)
    return {"whose": own, "way": way, "cell whose": f"{cell} {own}", "cell way": f"{cell} {way}"}[scope]


def factor_name(figure: str, part: Part, name: str) -> str:
    """Return which factor goes with a kind of work, such as `"keras launches"`; `""` for memory, which has none."""
    if figure.endswith("_bytes"):
        return ""
    if "ready" in figure:
        return f"{whose(part[1])} compiling"
    return f"{whose(part[1])} {next(kind for kind, names in KINDS.items() if name in names)}"


def fit_coefficients(figure: str, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Return the coefficients with which the relative errors of a figure are least.

    Args:
        figure: String. One of `FIGURES`.
        examples: What was measured.
    """
    rows = [_columns(figure, example.work) for example in examples]
    columns = sorted({column for row in rows for column in row})
    amounts = np.array([[row.get(column, 0.0) for column in columns] for row in rows])
    # Amounts are 1 or 10 million: each is scaled by the largest of its kind.
    scale = np.maximum(amounts.max(axis=0), 1e-9)
    values = np.array([example.value for example in examples])
    solution = _robust(amounts / scale / values[:, np.newaxis]) / scale
    fitted: dict[str, dict[str, float]] = {}
    for (shared, name), value in zip(columns, solution, strict=True):
        if value > 0:
            fitted.setdefault(shared, {})[name] = float(value)
    return fitted


def _columns(figure: str, work: Work) -> dict[tuple[str, str], float]:
    """Return how much there is to do of what has a coefficient of its own."""
    columns: dict[tuple[str, str], float] = {}
    for part, amounts in work.items():
        for name in FIGURES[figure]:
            column = (sharing(figure, part, name), name)
            columns[column] = columns.get(column, 0.0) + amounts.get(name, 0.0)
    return columns


def fit_factors(
    examples: Iterable[tuple[str, Example]], coefficients: Mapping[str, Coefficients], trust: float = 0.3
) -> dict[str, float]:
    """Return this machine's factors, from a few measurements.

    Few measurements cannot tell all kinds of work apart. So each factor is drawn towards the one factor that would fit
    all of them at once, the more so the less they say about it (Tikhonov regularisation).

    Args:
        examples: Tuples of a figure and what was measured.
        coefficients: The reference machine's, by figure.
        trust: Float. How much a factor that is off by all of it weighs, beside a measurement that is.
    """
    rows = [(costs_by_kind(figure, each.work, coefficients[figure]), each.value) for figure, each in examples]
    kinds = sorted({kind for costs, _ in rows for kind in costs})
    costs = np.array([[row.get(kind, 0.0) for kind in kinds] for row, _ in rows])
    values = np.array([value for _, value in rows])
    overall = float(np.exp(np.median(np.log(values / costs.sum(axis=1)))))
    equations = np.vstack([costs / values[:, np.newaxis], trust / overall * np.eye(len(kinds))])
    factors = _least_squares(equations, np.r_[np.ones(len(rows)), np.full(len(kinds), trust)])
    return dict(zip(kinds, map(float, factors), strict=True))


def _robust(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve for what makes each row's sum 1, least squares where that is nearly so, and least distances elsewhere."""
    solution = _least_squares(shares, np.ones(len(shares)))
    for _ in range(REWEIGHTINGS):
        weights = np.sqrt(NEAR / np.maximum(np.abs(shares @ solution - 1), NEAR))
        solution = _least_squares(shares * weights[:, np.newaxis], weights)
    return solution


def _least_squares(equations: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import nnls

    solution: NDArray[np.float64] = nnls(equations, right, maxiter=100 * equations.shape[1])[0]
    return solution
