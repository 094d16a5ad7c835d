"""The characters of a text, and the task to foretell the next one."""

import numpy as np

from kerasunroll.data.files import read_text
from kerasunroll.data.names import SourceName
from kerasunroll.data.source import Source
from kerasunroll.data.splits import ordered_split
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification

_DEFAULT_TIMESTEPS = 64


def load_text(name: SourceName, timesteps: int | None, seed: int) -> Source:
    """Read a UTF-8 file as windows of characters: which character comes next, at every time step?

    The text is cut into windows of `timesteps + 1` characters that share none: all but the last are the
    input, all but the first the target. What is left at the end of the file is not used. The last fifth of
    the windows is for validation. A token is a character's rank among the distinct characters of the file.

    Args:
        name: `SourceName` with one path.
        timesteps: Integer or `None`. Characters that are read in one sequence. Defaults to 64.
        seed: Integer. Fixes the order of the training batches.

    Returns:
        A `Source` with tokens of shape `(N, timesteps)` and as many classes as the vocabulary has characters.

    Raises:
        DataError: If the file cannot be read, is not UTF-8, is shorter than two windows, or repeats one
            character only.
    """
    timesteps = timesteps or _DEFAULT_TIMESTEPS
    (path,) = name.files
    text = read_text(path)
    window = timesteps + 1
    windows = len(text) // window
    if windows < 2:
        raise DataError(
            f"'{path}' has {len(text):,} characters, but one training and one validation window of "
            f"timesteps + 1 = {window:,} need {2 * window:,}. Take a longer text or fewer timesteps."
        )
    code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    vocabulary, tokens = np.unique(code_points, return_inverse=True)
    if len(vocabulary) < 2:
        raise DataError(f"'{path}' repeats one character only ({text[0]!r}): nothing to learn.")
    cut = tokens[: windows * window].astype(np.int32).reshape(windows, window)
    split = ordered_split(cut[:, :-1], cut[:, 1:])
    return Source(
        name=name.short,
        task=Classification(len(vocabulary)),
        seed=seed,
        vocabulary=len(vocabulary),
        **split._asdict(),
    )
