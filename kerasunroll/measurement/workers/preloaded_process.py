"""A process that has imported TensorFlow and Keras, and run nothing: workers are forked from it.

Its coordinator (`kerasunroll.measurement.workers.preloaded`) sends one line of JSON for each worker, and with it the
worker's files. The answer is the worker's process id. The worker goes on as `python -m <module>` would; this process
stays as it is, sees each worker's end, and tells its exit status.

It ends with its coordinator: at the end of the commands, and on Linux by the lifeline
(`kerasunroll.measurement.workers.link`).
"""

import json
import os
import runpy
import selectors
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Final

import psutil

REQUEST_BYTES: Final = 1 << 20
FILES: Final = ("commands", "messages", "lifeline", "log", "status")
"""The files that come with a request, in this order: the worker's, and where its exit status goes."""


def main() -> None:
    """Import TensorFlow, say how it went, then fork workers until the coordinator has gone."""
    with socket.socket(fileno=int(sys.argv[1])) as coordinator:
        os.set_inheritable(coordinator.fileno(), False)
        coordinator.sendall(json.dumps(_imported()).encode() + b"\n")
        request = _serve(coordinator)
    if request is not None:  # this is a worker
        _become(request)
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _imported() -> dict[str, Any]:
    start = time.perf_counter()
    import kerasunroll.measurement.stages.timed_model
    import kerasunroll.training.run  # noqa: F401 - what workers import

    return {
        "import_seconds": time.perf_counter() - start,
        "resident_bytes": psutil.Process().memory_info().rss,
        "may_fork": not _has_a_gpu_open(),
    }


def _has_a_gpu_open() -> bool:
    """Whether the driver of a GPU is in use already: its state does not survive a fork."""
    links = (os.path.realpath(file) for file in Path("/proc/self/fd").iterdir())
    return any(link.startswith(("/dev/nvidia", "/dev/kfd", "/dev/dri")) for link in links)


def _serve(coordinator: socket.socket) -> dict[str, Any] | None:
    """Fork a worker for each request; return the request in the worker, and `None` here once no more come."""
    with selectors.DefaultSelector() as selector:
        selector.register(coordinator, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not coordinator:
                    selector.unregister(key.fileobj)
                    _tell_end(key.fd, *key.data)
                    continue
                request = _receive(coordinator)
                if request is None:
                    return None
                pid = _fork()
                if pid == 0:
                    _let_go(selector, coordinator)
                    os.close(request["status"])
                    return request
                for name in FILES[:-1]:
                    os.close(request[name])
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, request["status"]))
                coordinator.sendall(json.dumps({"pid": pid}).encode() + b"\n")


def _receive(coordinator: socket.socket) -> dict[str, Any] | None:
    """Return the next request, its files by their names; `None` once no more come."""
    line, files, _, _ = socket.recv_fds(coordinator, REQUEST_BYTES, len(FILES))
    while line and not line.endswith(b"\n"):
        more = coordinator.recv(REQUEST_BYTES)
        line = line + more if more else b""
    return json.loads(line) | dict(zip(FILES, files, strict=True)) if line else None


def _let_go(selector: selectors.BaseSelector, coordinator: socket.socket) -> None:
    """Close what a worker has of the workers before it, so that their ends are seen."""
    for key in selector.get_map().values():
        if key.fileobj is not coordinator:
            os.close(key.fd)
            os.close(key.data[1])


def _fork() -> int:
    """Fork; return once the worker leads a session of its own, so that nobody signals a group that is not there yet."""
    leads, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: TensorFlow's, which wait for work
        pid = os.fork()
    if pid == 0:
        os.setsid()
    os.close(tell)
    if pid != 0:
        os.read(leads, 1)
    os.close(leads)
    return pid


def _tell_end(pidfd: int, pid: int, status: int) -> None:
    _, ended = os.waitpid(pid, 0)
    os.close(pidfd)
    try:
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
    except BrokenPipeError:  # nobody wants to know any more
        pass
    finally:
        os.close(status)


def _become(request: dict[str, Any]) -> None:
    """Take the files and the environment variables that the request names."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(request["log"], 1)
    os.dup2(request["log"], 2)
    os.close(request["log"])
    os.environ.clear()
    os.environ.update(request["variables"])
    os.environ[request["channel_variable"]] = f"{request['commands']},{request['messages']}"
    if request["directory"] is not None:
        os.chdir(request["directory"])


if __name__ == "__main__":
    main()
