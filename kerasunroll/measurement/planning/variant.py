"""A variant to be measured: a training run in one setting, where that is done, and where its results go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kerasunroll.measurement.records.node import Node, this_node
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.threads import split_name

LOOP: Final = "loop"
"""The setting that the others of a group are compared with; see `baseline_of`."""


@dataclass(frozen=True)
class Placement:
    """Where a variant is measured that was sent to a node.

    Args:
        node: `Node`.
        config: `TrainingConfig`. The variant's, but with the paths at which the node has the files that it names.
    """

    node: Node
    config: TrainingConfig


@dataclass(frozen=True)
class Variant:
    """One training run in one setting, and on so many threads where these are varied.

    Args:
        config: `TrainingConfig`.
        folder: Path. The folder of TensorBoard's runs, the model and the logs of this variant: in a comparison,
            `<folder of the comparison>/<group>/<setting>`.
        node_kind: String or `None`. The kind of node that it is measured on, where the kinds are compared.
        placement: `Placement`, or `None` on the machine where it was planned.
    """

    config: TrainingConfig
    folder: Path
    node_kind: str | None = None
    placement: Placement | None = None

    @property
    def group(self) -> str:
        """What is compared with each other has the same group: `group_name`."""
        return group_name(self.config, self.node_kind)

    @property
    def job(self) -> dict[str, Any]:
        """The `TrainingConfig` for a worker on this machine, as JSON values."""
        config = self.placement.config if self.placement else self.config
        return config.in_run(self.folder.absolute().parent.parent).model_dump(mode="json")

    @property
    def node(self) -> Node:
        """Where it is measured."""
        return self.placement.node if self.placement else this_node()

    @property
    def setting(self) -> str:
        """The short name of the setting, with its threads where they were given."""
        return self.config.setting

    def __str__(self) -> str:
        return f"{self.config.stack.cell} {self.setting}"

    def question(self, measurement: str) -> dict[str, Any]:
        """Return a record's configuration: everything but setting and threads, which are the record's variant."""
        configuration = self.config.model_dump(mode="json")
        del configuration["stack"]["unroll"], configuration["threads"]
        if "path" in configuration["stack"]:  # of a saved model; its checksum says which it is, on any machine
            configuration["stack"]["path"] = Path(configuration["stack"]["path"]).name
        for later in ("distribute", "callbacks"):
            if configuration[later] is None:
                del configuration[later]  # as in records from before there was a choice
        kind = {"node_kind": self.node_kind} if self.node_kind else {}
        return {"measurement": measurement, **kind, **configuration}


def group_name(config: TrainingConfig, node_kind: str | None = None) -> str:
    """Return the name of everything about a training run that a grid can vary but the setting and the threads.

    It is the stack's name, then the batch size and XLA where they are not the usual ones, then the kind of node.

    Args:
        config: `TrainingConfig`.
        node_kind: String, or `None` where kinds of nodes are not compared.

    Returns:
        A string such as `"lstm-L2-U64-T100"`, `"gru-L1-U128-T400-mixed_bfloat16-B64-xla"` or `"lstm-L2-U64-T64-D2"`.
    """
    usual_batch_size = TrainingConfig.model_fields["batch_size"].default
    words = [config.stack.name]
    words += [f"B{config.batch_size}"] if config.batch_size != usual_batch_size else []
    words += ["xla"] if config.jit_compile else []
    words += [f"D{config.distribute}"] if config.distribute else []
    words += ["on", node_kind] if node_kind else []
    return "-".join(words)


def baseline_of(variants: Sequence[Variant]) -> Variant:
    """Return the variant of a group that the others are compared with.

    It is the loop on TensorFlow's own number of threads, or else the first loop, or else the first one.
    """
    loops = [each for each in variants if split_name(each.setting)[0] == LOOP]
    return next((each for each in loops if each.config.threads is None), (*loops, *variants)[0])
