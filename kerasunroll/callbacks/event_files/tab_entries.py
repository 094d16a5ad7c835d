"""What the callbacks write for the Unrolling tab of TensorBoard. No TensorFlow.

An entry is an array or a JSON object. Its tag's metadata say once what it is *about*: which kind of thing it `shows`
(`GRADIENT`, `STATE`, `FACTS`), of which `layer`, and the quantity that it is `of`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.util.tensor_util import make_tensor_proto

Array: TypeAlias = npt.NDArray[np.generic]

PLUGIN: Final = "kerasunroll"
"""The name of the plugin."""

GRADIENT: Final = "gradient"
"""Norms over time, (T,); the quantity `MASKED` is the share of samples masked."""

MASKED: Final = "masked"

STATE: Final = "state"
"""Values of one sequence, (T, units)."""

FACTS: Final = "facts"

BEGAN: Final = "training/began"
"""The facts whose wall time is the beginning of a training, with all of its tracing and compiling to come."""

OPERATIONS: Final = "graph/{}_operations"
"""The facts of how many operations of each type a graph has: of `training_step` and `forward`."""


def array_value(tag: str, values: Array, about: Mapping[str, Any]) -> Summary.Value:
    """Return an array for the Unrolling tab; what it is `about` is read once per tag."""
    return Summary.Value(tag=tag, metadata=_own_metadata(about), tensor=make_tensor_proto(values))


def facts_value(tag: str, values: Mapping[str, Any]) -> Summary.Value:
    """Return JSON values for the Unrolling tab."""
    tensor = make_tensor_proto(np.array(json.dumps(values).encode(), dtype=object))
    return Summary.Value(tag=tag, metadata=_own_metadata({"shows": FACTS}), tensor=tensor)


def _own_metadata(about: Mapping[str, Any]) -> SummaryMetadata:
    plugin = SummaryMetadata.PluginData(plugin_name=PLUGIN, content=json.dumps(about).encode())
    return SummaryMetadata(plugin_data=plugin, data_class=DATA_CLASS_TENSOR)
