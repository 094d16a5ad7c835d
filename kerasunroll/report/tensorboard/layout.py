"""The Custom Scalars tab: which curves are shown, in which order, under which titles. No TensorFlow.

TensorBoard merges the layouts of all comparisons below its folder by the titles of their categories, and shows charts
that are equal once. So a category is the same in every comparison: it is there as a whole, or not at all.
"""

import re
from typing import Final

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    Layout,
    MarginChartContent,
    MultilineChartContent,
)
from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG, create_summary_metadata

from kerasunroll.report.tensorboard import tags


def layout_summary(*, trained: bool) -> Summary.Value:
    """Return the layout, to be written into one run.

    Args:
        trained: Boolean. Whether anything was trained: then there are gradients and losses.
    """
    layout = Layout(category=[_TIME, *([_GRADIENTS, _LOSS] if trained else [])])
    tensor = TensorProto(dtype=DT_STRING, string_val=[layout.SerializeToString()], tensor_shape=TensorShapeProto())
    return Summary.Value(tag=CONFIG_SUMMARY_TAG, metadata=create_summary_metadata(), tensor=tensor)


def _lines(title: str, tag: str) -> Chart:
    """Return a chart of all curves with a tag, in which `*` stands for anything."""
    pattern = re.escape(tag).replace(r"\*", ".*")
    return Chart(title=title, multiline=MultilineChartContent(tag=[f"{pattern}$"]))


def _band(title: str, tag: str, low: str, high: str) -> Chart:
    """Return a chart of curves with their intervals."""
    series = MarginChartContent.Series(value=tag, lower=low, upper=high)
    return Chart(title=title, margin=MarginChartContent(series=[series]))


_TIME: Final = Category(
    title="Time",
    chart=[
        _band("time in all, s: compile, then x training steps", tags.TIME_IN_ALL, tags.TIME_LOW, tags.TIME_HIGH),
        _lines("a training step, ms, in each round x", tags.STEP_BY_ROUND),
        _lines("a training step over the baseline's, in each round x", tags.RATIO_BY_ROUND),
    ],
)
_GRADIENTS: Final = Category(
    title="Gradients",
    chart=[
        _lines("norm of the whole gradient", "gradient_norm/global"),
        _lines("early over late time steps, per layer", "gradient_through_time/*/early_to_late"),
        _lines("share of time steps where it vanished", "gradient_through_time/*/vanished_share"),
    ],
)
_LOSS: Final = Category(title="Loss", chart=[_lines("loss of each epoch, train and validation", "epoch_loss")])
