"""Arrays as a source."""

from pathlib import Path

import numpy as np

from kerasunroll.data.arrays.checks import check_shapes, classification, real, whole
from kerasunroll.data.arrays.reading import read_npy, read_npz
from kerasunroll.data.arrays.targets import understood
from kerasunroll.data.source import Source
from kerasunroll.data.spec import SourceSpec
from kerasunroll.data.splits import Array, Split, random_split
from kerasunroll.errors import DataError
from kerasunroll.tasks import Regression


def load_npz(spec: SourceSpec, timesteps: int | None, seed: int) -> Source:
    """Read the arrays `x` and `y` of a NumPy `.npz` file, as `numpy.savez` writes it.

    | `x` | the network reads |
    |---|---|
    | `(N, T, F)`, any kind of number | F features at each time step |
    | `(N, T)`, integers from 0 | tokens, through an embedding |

    | `y` | task |
    |---|---|
    | `(N,)` integers from 0, strings, or -1 and 1 | classification of the sequence |
    | `(N, classes)` one-hot | classification of the sequence |
    | `(N, T)` integers from 0 or strings | classification at each time step |
    | `(N, T, classes)` one-hot | classification at each time step |
    | `(N,)` or `(N, outputs)` floats | regression |
    | `(N, T, outputs)` floats | regression at each time step |

    Other usual names will do (`X_train`, `y_train`, `inputs`, `labels`, ...). Where arrays for validation or for a test
    are given (`x_val`, `y_test`, ...), they are the ones for validation; else a fifth is drawn.

    Args:
        spec: `SourceSpec`. The file.
        timesteps: Integer or `None`. Must be the file's T, if given.
        seed: Integer. Draws the validation sequences.

    Returns:
        A `Source`; the numbers of classes and tokens are the largest that occur, plus one.

    Raises:
        DataError: If the file cannot be read, lacks `x` or `y`, or they are not as above; the message names
            the shape, or the index of the first bad value.
    """
    (path,) = spec.paths
    return _source(spec, path, read_npz(path), timesteps, seed)


def load_npy(spec: SourceSpec, timesteps: int | None, seed: int) -> Source:
    """Read inputs and targets from two `.npy` files, or from a folder with `x.npy` and `y.npy`; else as `load_npz`.

    Raises:
        DataError: As `load_npz`.
    """
    return _source(spec, spec.paths[-1], read_npy(spec.paths), timesteps, seed)


def _source(spec: SourceSpec, path: Path, arrays: dict[str, Array], timesteps: int | None, seed: int) -> Source:
    given = "x_validation" in arrays
    inputs = [arrays["x"], *([arrays["x_validation"]] if given else [])]
    targets = [arrays["y"], *([arrays["y_validation"]] if given else [])]
    _refuse_strings(path, inputs)
    targets, notes = understood(inputs[0], targets)
    for x, y in zip(inputs, targets, strict=True):
        check_shapes(path, x, y, timesteps, least=1 if given else 2)
    if given and (inputs[0].shape[1:] != inputs[1].shape[1:] or targets[0].shape[1:] != targets[1].shape[1:]):
        raise DataError(
            f"'{path}': training and validation must have sequences of one shape, got x of shape {inputs[0].shape} and "
            f"{inputs[1].shape}, y of shape {targets[0].shape} and {targets[1].shape}."
        )
    tokens, classes = inputs[0].ndim == 2, targets[0].dtype.kind in "biu"
    inputs = [(whole if tokens else real)(path, "x", x) for x in inputs]
    targets = [_with_outputs((whole if classes else real)(path, "y", y), classes) for y in targets]
    split = Split(inputs[0], targets[0], inputs[1], targets[1]) if given else random_split(inputs[0], targets[0], seed)
    notes += ["validation as given"] if given else []
    return Source(
        name=spec.label,
        task=classification(path, _count(targets)) if classes else Regression(targets[0].shape[-1]),
        seed=seed,
        vocabulary=_count(inputs) if tokens else None,
        notes=tuple(notes),
        **split._asdict(),
    )


def _with_outputs(y: Array, classes: bool) -> Array:
    return y[:, np.newaxis] if y.ndim == 1 and not classes else y


def _count(parts: list[Array]) -> int:
    return 1 + max(int(part.max()) for part in parts)


def _refuse_strings(path: Path, inputs: list[Array]) -> None:
    for x in inputs:
        if x.dtype.kind == "U":
            raise DataError(f"'{path}': x must hold numbers, got an array of {x.dtype}.")
