"""The nodes of a Ray cluster: what each is, which are alike, and what a job claims of one."""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psutil
import ray

from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.records.environment import Environment, differences, environment
from kerasunroll.measurement.records.node import Node, node_kind, this_node

PROBE_SECONDS: Final = 60.0
"""How long a node may take to say what it is: the first time, a process has to be started there."""

GONE: Final = (ray.exceptions.NodeDiedError, ray.exceptions.TaskUnschedulableError, ray.exceptions.WorkerCrashedError)
"""What Ray says of a task for a node that is no more."""

_NODE_ID: Final = "ray.io/node-id"


@dataclass(frozen=True)
class Pool:
    """Nodes that are alike.

    Args:
        environment: `Environment`. That of the first one.
        cpus: Integer. The CPUs that each offers to Ray.
        gpus: Integer. The GPUs that each offers to Ray.
        nodes: Mapping from Ray's name of each node to its own.
    """

    environment: Environment
    cpus: int
    gpus: int
    nodes: Mapping[str, str]

    @property
    def kind(self) -> str:
        """What kind of nodes these are, in a word."""
        return node_kind(self.environment)

    @property
    def places_per_node(self) -> int:
        """How many jobs run on a node at once: one per GPU, or else one."""
        return max(1, self.gpus)

    @property
    def places(self) -> int:
        """How many jobs run at once."""
        return self.places_per_node * len(self.nodes)

    @property
    def cpus_per_place(self) -> int:
        """The CPUs that a job claims: all that a node has, or the share of its GPU."""
        return max(1, self.cpus // self.places_per_node)

    def claim(self, avoid: Collection[str] = ()) -> dict[str, Any]:
        """Return the resources by which Ray gives a job a node to itself, or a GPU with its share of the CPUs.

        Args:
            avoid: Nodes that it should not get, as long as there are others.
        """
        ids = [node for node in self.nodes if node not in avoid] or list(self.nodes)
        return {
            "num_cpus": self.cpus_per_place,
            "num_gpus": 1 if self.gpus else 0,
            "label_selector": at(*ids),
        }

    def of(self, nodes: Collection[str]) -> "Pool":
        """Return a pool of those of these nodes that are among `nodes`."""
        return replace(self, nodes={node: name for node, name in self.nodes.items() if node in nodes})

    def describe(self) -> str:
        """Return in one line what these are.

        Example:
        >>> pool.describe()  # doctest: +SKIP
        '3 nodes of 8 CPUs (AMD-EPYC-7B13-8-cores)'
        """
        gpus = f" and {self.gpus} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        number = len(self.nodes)
        return f"{number} node{'s' * (number > 1)} of {self.cpus} CPU{'s' * (self.cpus > 1)}{gpus} ({self.kind})"


def at(*nodes: str) -> dict[str, str]:
    """Return the labels by which Ray chooses one of some nodes."""
    return {_NODE_ID: f"in({','.join(nodes)})"}


def survey(known: Sequence[Pool] = (), lost: Collection[str] = ()) -> list[Pool]:
    """Ask every node of the cluster that offers CPUs what it is, and return those that are alike together.

    Args:
        known: Pools of nodes that need not be asked again: those of them that are still there are returned with the
            others. Defaults to `()`.
        lost: Nodes that died a moment ago, which Ray may not have noticed yet. Defaults to `()`.

    Raises:
        RunError: If a node cannot run kerasunroll.
    """
    offers = {node["NodeID"]: node for node in _nodes() if node["Alive"] and node["NodeID"] not in lost}
    offers = {node: offer for node, offer in offers.items() if offer["Resources"].get("CPU", 0) >= 1}
    asked_before = {node for pool in known for node in pool.nodes}
    pools = [pool.of(offers) for pool in known if pool.nodes.keys() & offers.keys()]
    for pool in _asked({node: offer for node, offer in offers.items() if node not in asked_before}):
        _sort_in(pools, pool)
    return pools


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ray.nodes()
    return found


def _asked(offers: Mapping[str, Mapping[str, Any]]) -> Iterator[Pool]:
    """Yield each of some nodes as a pool of its own; those that do not answer are left out."""
    probe = ray.remote(_probe)
    answers = {probe.options(num_cpus=0, max_retries=0, label_selector=at(node)).remote(): node for node in offers}
    ready, _ = ray.wait(list(answers), num_returns=len(answers), timeout=PROBE_SECONDS) if answers else ([], [])
    for answer in ready:
        node = answers[answer]
        name = offers[node]["NodeManagerHostname"]
        try:
            facts = Environment.model_validate_json(ray.get(answer))
        except GONE:
            continue
        except ray.exceptions.RayError as error:
            raise RunError(f"Node {name} ({node[:8]}) cannot run kerasunroll: {in_words(error)}.") from None
        yield Pool(facts, *_offer(offers[node]["Resources"]), {node: name})


def refuse_unlike(pools: Sequence[Pool], *, per_kind: bool) -> None:
    """See that the nodes of a cluster are alike, or those of each kind.

    Args:
        pools: What `survey` returned.
        per_kind: Boolean. Whether everything is measured on each kind of node.

    Raises:
        InputError: If they are not; the message lists the facts that differ.
    """
    firsts: dict[str, Pool] = {}
    facts: dict[str, None] = {}
    for pool in pools:
        first = firsts.setdefault(pool.kind if per_kind else "", pool)
        facts |= dict.fromkeys(differences(first.environment, pool.environment))
        if (first.cpus, first.gpus) != (pool.cpus, pool.gpus):
            facts |= {
                f"CPUs and GPUs offered to Ray: {first.cpus}, {first.gpus} against {pool.cpus}, {pool.gpus}": None
            }
    if facts:
        remedy = "" if per_kind else "measure everything on each kind with --per-node-type, "
        raise InputError(
            "The nodes of this cluster are not alike, so that figures from different nodes would not compare:\n"
            + "".join(f"- {fact}\n" for fact in facts)
            + f"Make them alike, {remedy}or measure each group on any node with --mix-environments."
        )


def here(earlier: Sequence[str] = ()) -> Node:
    """Return the node of the Ray cluster that this process runs on.

    Args:
        earlier: What became of earlier attempts.
    """
    machine = this_node()
    return Node(
        name=machine.name, kind=machine.kind, id=ray.get_runtime_context().get_node_id(), earlier=tuple(earlier)
    )


def in_words(error: Exception) -> str:
    """Return what happened to a task, in one line."""
    if isinstance(error, ray.exceptions.NodeDiedError):
        return "it died"
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "it ran out of memory"
    if isinstance(error, ray.exceptions.RayTaskError):
        error = error.cause
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0].rstrip('.')}"


def _probe() -> str:
    restore_own_threads()
    return environment().model_dump_json()


def restore_own_threads() -> None:
    """Take `OMP_NUM_THREADS` away, unless the node was started with it: Ray sets it to the CPUs that a task claims."""
    with contextlib.suppress(psutil.Error, KeyError, ValueError):
        node = psutil.Process(int(os.environ["RAY_RAYLET_PID"]))
        if "OMP_NUM_THREADS" not in node.environ():
            os.environ.pop("OMP_NUM_THREADS", None)


def _offer(resources: Mapping[str, float]) -> tuple[int, int]:
    return int(resources.get("CPU", 0)), int(resources.get("GPU", 0))


def _sort_in(pools: list[Pool], new: Pool) -> None:
    """Add a node to the pool of those that are like it, or as a pool of its own."""
    for number, pool in enumerate(pools):
        alike = not differences(pool.environment, new.environment)
        if alike and (pool.kind, pool.cpus, pool.gpus) == (new.kind, new.cpus, new.gpus):
            pools[number] = Pool(pool.environment, pool.cpus, pool.gpus, {**pool.nodes, **new.nodes})
            return
    pools.append(new)
