"""Two tasks that ask for long memory, with sequences of any length."""

import numpy as np

from kerasunroll.data.source import Source
from kerasunroll.data.splits import ordered_split
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression

_DEFAULT_TIMESTEPS = 100
_DEFAULT_EXAMPLES = 10_000

_SYMBOLS = 8
_REMEMBERED = 10
_BLANK = _SYMBOLS
_RECALL = _SYMBOLS + 1


def make_adding(timesteps: int | None, seed: int, examples: int | None = None) -> Source:
    """Draw sequences of numbers, two of them marked: what is the sum of the two?

    The first feature is uniform in [0, 1); the second is 1 at one time step in each half and 0 elsewhere.
    Always answering 1 gives a mean squared error of 1/6. The task is that of Hochreiter and Schmidhuber
    (1997, "Long short-term memory", section 5.4), in the form of Arjovsky, Shah and Bengio (2016,
    arXiv:1511.06464, section 4.2).

    Args:
        timesteps: Integer of at least 2, or `None`. Defaults to 100.
        seed: Integer. Draws the sequences.
        examples: Integer or `None`. Sequences in all, a fifth of them for validation. Defaults to 10,000.

    Returns:
        A `Source` with inputs of shape `(N, timesteps, 2)` and 1 output.

    Raises:
        DataError: If `timesteps` is less than 2.
    """
    timesteps = timesteps or _DEFAULT_TIMESTEPS
    if timesteps < 2:
        raise DataError(f"adding marks a time step in each half, so timesteps must be at least 2, got {timesteps}.")
    examples = examples or _DEFAULT_EXAMPLES
    rng = np.random.default_rng(seed)
    values = rng.random((examples, timesteps), dtype=np.float32)
    markers = np.zeros_like(values)
    rows, half = np.arange(examples), timesteps // 2
    markers[rows, rng.integers(0, half, examples)] = 1
    markers[rows, rng.integers(half, timesteps, examples)] = 1
    x = np.stack([values, markers], axis=2)
    y = (values * markers).sum(axis=1, keepdims=True)
    return Source(name="adding", task=Regression(1), seed=seed, **ordered_split(x, y)._asdict())


def make_copy(timesteps: int | None, seed: int, examples: int | None = None) -> Source:
    """Draw ten symbols to be remembered over a delay: which were they?

    The input is 10 symbols, each drawn from 8; then blanks; then, 10 time steps before the last blank, the
    signal to recall. The target is blank throughout, and in the last 10 time steps the symbols. Tokens are
    0..7 for the symbols, 8 for the blank, 9 for the signal, which is never a target. Guessing the symbols
    gives a cross-entropy of 10 ln(8) / `timesteps`. The task is that of Arjovsky, Shah and Bengio (2016,
    arXiv:1511.06464, section 4.1), after Hochreiter and Schmidhuber (1997); their T is `timesteps - 20`.

    Args:
        timesteps: Integer of at least 21, or `None`: the whole sequence, delay included. Defaults to 100.
        seed: Integer. Draws the sequences.
        examples: Integer or `None`. Sequences in all, a fifth of them for validation. Defaults to 10,000.

    Returns:
        A `Source` with tokens of shape `(N, timesteps)` from a vocabulary of 10, and 9 classes at each
        time step.

    Raises:
        DataError: If `timesteps` is less than 21.
    """
    timesteps = timesteps or _DEFAULT_TIMESTEPS
    shortest = 2 * _REMEMBERED + 1
    if timesteps < shortest:
        raise DataError(
            f"copy shows {_REMEMBERED} symbols, a signal, and asks for {_REMEMBERED} symbols, so timesteps "
            f"must be at least {shortest}, got {timesteps}."
        )
    examples = examples or _DEFAULT_EXAMPLES
    symbols = np.random.default_rng(seed).integers(_SYMBOLS, size=(examples, _REMEMBERED), dtype=np.int32)
    x = np.full((examples, timesteps), _BLANK, dtype=np.int32)
    x[:, :_REMEMBERED] = symbols
    x[:, -_REMEMBERED - 1] = _RECALL
    y = np.full_like(x, _BLANK)
    y[:, -_REMEMBERED:] = symbols
    return Source(
        name="copy",
        task=Classification(_SYMBOLS + 1),
        seed=seed,
        vocabulary=_SYMBOLS + 2,
        **ordered_split(x, y)._asdict(),
    )
