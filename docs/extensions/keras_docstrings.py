"""Has the API reference read the examples in our docstrings.

Keras writes `Example:` with the example below it at the same indent; the parser of Google-style docstrings looks for a
section that is indented.
"""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^Example:\n(?P<body>(?:>>> |```).*)\Z", flags=re.MULTILINE | re.DOTALL)


def indented_example(text: str) -> str:
    r"""Return a docstring whose last section, the example, is a section to Griffe too.

    Example:
    >>> indented_example("Add.\n\nExample:\n>>> 1 + 1\n2")
    'Add.\n\nExamples:\n    >>> 1 + 1\n    2'
    """
    return EXAMPLE.sub(lambda found: "Examples:\n" + re.sub(r"^(?=.)", "    ", found["body"], flags=re.MULTILINE), text)


class KerasDocstrings(griffe.Extension):
    """Indents the examples of all objects."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002
        """Rewrite the docstring before it is parsed."""
        if obj.docstring:
            obj.docstring.value = indented_example(obj.docstring.value)
