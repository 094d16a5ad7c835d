"""Reaching a Ray cluster: quietly, within a bounded time, and with an error that says what to do."""

import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kerasunroll.errors import InputError

REACH_SECONDS: Final = 5.0
"""How long a cluster's port may take to be reached."""

ANSWER_SECONDS: Final = 20.0
"""How long a cluster may take to say that it is well."""

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or Ray warns that this will become the default
}

_START: Final = "Start one with: ray start --head --num-cpus=0 --port=6379 (see docs/cluster.md)."


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Be connected to a Ray cluster while in the block.

    Args:
        address: String, `"host:port"` of the cluster's head, or `None`: the cluster that this machine is part of, as
            the environment variable `RAY_ADDRESS` or a node that was started here says.

    Raises:
        InputError: If Ray is not installed, or no cluster answers.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise InputError("--executor ray needs Ray, which is not installed: pip install 'kerasunroll[ray]'") from None
    address = address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto"):
        _check(str(address))
    try:
        ray.init(address=address or "auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        where = f"at '{address}' ({_first_line(error)})" if address else "on this machine, and no --address was given"
        raise InputError(f"There is no Ray cluster {where}. {_START}") from None
    except RuntimeError as error:  # another version of Ray or Python
        raise InputError(f"The Ray cluster at '{address or 'auto'}' cannot be used: {_first_line(error)}.") from None
    _silence()
    try:
        yield
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """See whether a cluster answers: `ray.init` itself would try for minutes.

    Raises:
        InputError: If none does.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit()):
        raise InputError(f"--address is host:port of the head of a Ray cluster, got '{address}'.")
    try:
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"No Ray cluster answers at '{address}' ({error}). {_START}") from None
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=True)  # noqa: S603 - Ray's own
    except subprocess.SubprocessError:
        raise InputError(f"What answers at '{address}' is no Ray cluster, or one that is not well. {_START}") from None


def _silence() -> None:
    """Keep Ray from printing to stdout what nodes have to say, such as that one of them died: we say so ourselves.

    There is no option for that.
    """
    from ray._private import worker

    with contextlib.suppress(AttributeError):
        worker.print_to_stdstream = lambda *_, **__: None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")
