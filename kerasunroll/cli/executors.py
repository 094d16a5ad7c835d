"""Who does the measuring: what `--executor` and `--address` say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kerasunroll.backend import require_backend
from kerasunroll.cli.console import make_console
from kerasunroll.cli.options import TrainingOptions, Where
from kerasunroll.errors import InputError

if TYPE_CHECKING:
    from kerasunroll.measurement.execution.executor import Executor


@contextmanager
def executor_for(
    options: TrainingOptions, *, per_kind: bool = False, mix_environments: bool = False
) -> "Iterator[tuple[Executor, tuple[str, ...]]]":
    """Yield the executor that the options name, and the kinds of nodes to measure on, if these are compared.

    Args:
        options: `TrainingOptions`.
        per_kind: Boolean. Whether everything is to be measured on each kind of node.
        mix_environments: Boolean. Whether the nodes may differ.

    Raises:
        InputError: If there is no such cluster, or its nodes are not alike.
    """
    if options.executor is Where.LOCAL:
        from kerasunroll.measurement.execution.local import LocalExecutor

        for option, wanted in (("--address", options.address), ("--per-node-type", per_kind)):
            if wanted:
                raise InputError(f"{option} is for a cluster: give --executor ray with it.")
        yield LocalExecutor(), ()
        return
    from kerasunroll.measurement.execution.connection import connected

    console = make_console()
    with connected(options.address):
        from kerasunroll.measurement.execution.ray_executor import RayExecutor

        with console.status("asking the nodes what they are …"):
            executor = RayExecutor(per_kind=per_kind, mix_environments=mix_environments)
        console.print(executor.describe())
        yield executor, executor.kinds if per_kind else ()


def check_backend(options: TrainingOptions, command: str) -> None:
    """See that this machine can measure, where it is the one to do so; nodes of a cluster see for themselves.

    Args:
        options: `TrainingOptions`.
        command: String. The command that measures.

    Raises:
        BackendError: If TensorFlow is not installed here, or Keras has another backend.
    """
    if options.executor is Where.LOCAL:
        require_backend(command)


def executor_words(options: TrainingOptions) -> list[str]:
    """Return the words of a command line that name the same executor."""
    if options.executor is Where.LOCAL:
        return []
    return ["--executor", options.executor.value, *(["--address", options.address] if options.address else [])]
