"""Where a measurement was taken: a machine by its name, and what kind of machine it is."""

import platform
import re
from functools import cache

from pydantic import BaseModel, ConfigDict

from kerasunroll.measurement.records.environment import Environment, environment


class Node(BaseModel):
    """The machine that a record comes from.

    Args:
        name: String. What the machine calls itself.
        kind: String. Its hardware in a word, see `node_kind`.
        id: String or `None`. What the cluster calls it, which tells apart several nodes on one machine; `None` where
            there is no cluster.
        earlier: Tuple of strings. What became of earlier attempts on other nodes, such as `"n2 (5f0c22a1) died"`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    id: str | None = None
    earlier: tuple[str, ...] = ()

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1 on."""
        return len(self.earlier) + 1

    def __str__(self) -> str:
        return f"{self.name} ({self.id[:8]})" if self.id else self.name


@cache
def this_node() -> Node:
    """Return the machine that this process runs on."""
    return Node(name=platform.node() or "this machine", kind=node_kind(environment()))


def node_kind(facts: Environment) -> str:
    """Return the hardware of a machine in a word that can be part of a file's name: its GPUs or CPU, and its cores.

    Args:
        facts: `Environment`. That of the machine.

    Example:
    >>> node_kind(server)  # doctest: +SKIP
    'AMD-EPYC-7B13-16-cores'
    """
    device = f"{len(facts.gpus)}-{facts.gpus[0].partition(' (')[0]}" if facts.gpus else facts.cpu
    device = re.sub(r"\((R|TM|C)\)|@.*|\b(CPU|Processor)\b", " ", device)
    return re.sub(r"[^A-Za-z0-9_.]+", "-", f"{device} {facts.usable_cores:g} cores").strip("-")
