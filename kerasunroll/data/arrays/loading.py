"""Arrays that a user has prepared, as a data source."""

from itertools import chain

from kerasunroll.data.arrays.checking import check_inputs, check_pair, real, whole
from kerasunroll.data.arrays.names import Part, Role
from kerasunroll.data.arrays.reading import Named, read_npy, read_npz
from kerasunroll.data.arrays.targets import read_targets
from kerasunroll.data.names import SourceName
from kerasunroll.data.source import Source
from kerasunroll.data.splits import Split, random_split
from kerasunroll.errors import DataError


def load_arrays(name: SourceName, timesteps: int | None, seed: int) -> Source:
    """Read the arrays of an `.npz` file, as `numpy.savez` writes it, or of `.npy` files.

    Inputs are `x` or `X_train`, targets `y` or `y_train`, or one of the other usual names. Where arrays for validation
    (`x_val`, `y_val`) or, without these, for testing (`x_test`, `y_test`) are given, they are the validation part.

    | `x` | the network reads |
    |---|---|
    | `(N, T, F)`, any kind of number | F features at each time step |
    | `(N, T)`, integers from 0 | tokens, through an embedding |

    | `y` | task |
    |---|---|
    | `(N,)` integers from 0, -1 and 1, booleans or strings | classification of the sequence |
    | `(N, classes)` one-hot | classification of the sequence |
    | `(N, T)` integers from 0, or strings | classification at each time step |
    | `(N, T, classes)` one-hot | classification at each time step |
    | `(N,)` or `(N, outputs)` floats | regression |
    | `(N, T, outputs)` floats | regression at each time step |

    Args:
        name: `SourceName`. The path of an `.npz` file; or of a folder of `.npy` files, or the files themselves.
        timesteps: Integer or `None`. Must be the arrays' T, if given.
        seed: Integer. Draws the validation sequences, a fifth of all, where none are given.

    Returns:
        A `Source`; the numbers of classes and tokens are the largest that occur, plus one.

    Raises:
        DataError: If a file cannot be read, lacks `x` or `y`, or they are not as above; the message names
            the shape, or the index of the first bad value.
    """
    arrays = read_npz(name.files[0]) if name.kind == "npz" else read_npy(name.whole.files)
    x, y = arrays[Role(True, "train")], arrays[Role(False, "train")]
    given, notes = _validation(arrays)
    xs, ys = [x, *(pair[0] for pair in given)], [y, *(pair[1] for pair in given)]
    for each, targets in zip(xs, ys, strict=True):
        check_inputs(each, timesteps)
        check_pair(each, targets)
        if each.array.shape[1:] != x.array.shape[1:]:
            raise DataError(f"{each} of shape {each.array.shape} does not fit {x.key} of shape {x.array.shape}.")
    if len(x.array) < 2 and not given:
        raise DataError(f"'{x.file}' has {len(x.array)} sequence, but training and validation need at least 2.")
    read = read_targets(ys, [each.array for each in xs])
    tokens = x.array.ndim == 2
    inputs = [(whole if tokens else real)(each, each.array) for each in xs]
    if given:
        split = Split(inputs[0], read.parts[0], inputs[1], read.parts[1])
    else:
        split = random_split(inputs[0], read.parts[0], seed)
    return Source(
        name=name.short,
        task=read.task,
        seed=seed,
        vocabulary=max(int(part.max()) for part in inputs) + 1 if tokens else None,
        notes=(*notes, *read.notes),
        **split._asdict(),
    )


def _validation(arrays: dict[Role, Named]) -> tuple[list[tuple[Named, Named]], list[str]]:
    """Return the inputs and targets that are given for validation, if any, and a note on them."""
    parts: tuple[Part, ...] = ("validation", "test")
    pairs, alone = [], []
    for part in parts:
        found = [arrays[role] for role in (Role(True, part), Role(False, part)) if role in arrays]
        if len(found) == 1 and part == "validation":
            raise DataError(f"{found[0]} stands alone: give the validation part's inputs and its targets, or neither.")
        if len(found) == 2:
            pairs.append((found[0], found[1]))
        else:
            alone += found  # a competition keeps the targets of its test part to itself
    notes = [f"validated on {pairs[0][0].key} and {pairs[0][1].key}"] if pairs else []
    left_out = [each.key for each in (*chain(*pairs[1:]), *alone)]
    return pairs[:1], notes + ([f"left out: {', '.join(left_out)}"] if left_out else [])
