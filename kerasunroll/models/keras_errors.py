"""Keras's errors in one sentence."""

import re


def in_one_sentence(error: Exception) -> str:
    """Return the cause that an error of Keras tells, without the configuration and the advice around it.

    Args:
        error: Any exception.

    Returns:
        A sentence that begins with the kind of the error, of at most about 300 characters.
    """
    cause = re.sub(r"\x1b\[\d*m", "", str(error)).rsplit("Exception encountered: ", maxsplit=1)[-1]
    cause = re.sub(r"^Exception encountered when calling [^\n]*\n+(?=\S)", "", cause)
    cause = re.sub(r"\{\{function_node .*?\}\} ?", "", cause)  # where in TensorFlow it was
    cause = re.sub(r" \[Op:\w+\].*", "", cause)
    sentence = re.split(r"\. (?!\[|\d)", " ".join(cause.split()))[0].rstrip(".")
    return f"{type(error).__name__}: {sentence[:300]}."
