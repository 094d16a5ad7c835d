"""The Text tab: which setting to take, a line for each group. No TensorFlow."""

import re
from collections.abc import Sequence
from html import escape

from tensorboard.compat.proto.summary_pb2 import Summary

from kerasunroll.callbacks.event_files.event_log import text_value
from kerasunroll.report.tensorboard import tags
from kerasunroll.report.verdict.text import verdict_sentences
from kerasunroll.report.verdict.verdict import Verdict


def verdicts_summary(verdicts: Sequence[Verdict]) -> Summary.Value:
    """Return the first sentence of each verdict as Markdown, to be written into the run of the comparison.

    Args:
        verdicts: One for each group.
    """
    lines = [f"- {plain(verdict.group)}: {plain(verdict_sentences(verdict)[0])}" for verdict in verdicts]
    return text_value(tags.VERDICT, "\n".join(lines))


def plain(text: str) -> str:
    r"""Return Markdown that TensorBoard shows as this text.

    Its Markdown knows fewer escapes than others: a backslash before any other character would be shown.

    Example:
    >>> plain("<b> a|b simple_rnn")
    '&lt;b&gt; a\\|b simple\\_rnn'
    """
    return re.sub(r"([\\`*_\[\]{}|#])", r"\\\1", escape(text, quote=False)).replace("\n", "<br>")
