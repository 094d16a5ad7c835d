"""The facts about a machine and its software that make two measurements comparable, or not."""

import csv
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict

from kerasunroll.backend import installed_version
from kerasunroll.measurement.records.frozen import Frozen
from kerasunroll.units import format_bytes

PACKAGES = ("kerasunroll", "keras", "tensorflow", "numpy")

FLAG = re.compile(
    r"(TF2?|XLA|OMP|GOMP|KMP|MKL|ONEDNN|DNNL|OPENBLAS|EIGEN|CUDA|CUDNN|NCCL|NVIDIA|KERAS|MALLOC|TCMALLOC)_\w+"
    r"|LD_PRELOAD|MALLOC_CONF|GLIBC_TUNABLES"
)
"""Environment variables that can change how fast a program runs or how much memory it takes."""

PRIVATE = re.compile(r"TF_(VAR|TOKEN|CLI)_.*|.*(TOKEN|SECRET|PASSWORD|CREDENTIAL|_KEY).*")
"""Never recorded: secrets, and the variables of Terraform, whose names begin with TF as well."""

HARMLESS = re.compile(
    r"TF_CPP_.*LOG.*|TF_CPP_VMODULE|TF_CPU_ALLOCATOR_USE_BFC|KERAS_HOME|CUDA_CACHE_\w+"
    r"|KMP_WARNINGS|KMP_DUPLICATE_LIB_OK|KMP_INIT_AT_FORK|TF2_BEHAVIOR"
)
"""Recorded, but no reason to call two environments different.

`TF_CPU_ALLOCATOR_USE_BFC` is set where tensor bytes are counted; times are never taken in that pass. The two before
the last are set by scikit-learn when it is imported, which happens for some data sources only; the last one by
TensorFlow, which the process that looks may have imported or not (and Keras 3 does not run without it).
"""

VISIBLE = "CUDA_VISIBLE_DEVICES"

CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")

MEMORY_TOLERANCE = 0.02
"""A machine's memory as the kernel tells it changes a little from boot to boot."""


class Environment(BaseModel):
    """Where a measurement was taken; see `environment`.

    Args:
        cpu: String. The model's name.
        physical_cores: Integer, or `None` if the system does not tell.
        logical_cores: Integer, or `None` if the system does not tell.
        usable_cores: Float. Cores this process may use: its affinity, or less if a container has a quota.
        memory_bytes: Integer. The machine's memory.
        system: String. Operating system and kernel.
        machine: String. The architecture, such as `"x86_64"`.
        versions: Mapping from `"python"` and each package to its version.
        flags: Mapping from environment variables that matter to their values.
        gpus: Tuple of strings, one per GPU: its name and memory.
        gpu_driver: String or `None` without a GPU.
        import_seconds: Float or `None`. What a process takes to import TensorFlow and Keras, if that was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    physical_cores: int | None
    logical_cores: int | None
    usable_cores: float
    memory_bytes: int
    system: str
    machine: str
    versions: Frozen[str]
    flags: Frozen[str]
    gpus: tuple[str, ...]
    gpu_driver: str | None
    import_seconds: float | None = None


def environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Return the facts about this machine, without importing TensorFlow.

    Args:
        variables: Mapping of environment variables, if they are not this process's own.
    """
    gpus, gpu_driver = _gpus()
    return Environment(
        cpu=_cpu(),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count(),
        usable_cores=_usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        versions=_versions(),
        flags=_flags(os.environ if variables is None else variables),
        gpus=gpus,
        gpu_driver=gpu_driver,
    )


def differences(a: Environment, b: Environment) -> list[str]:
    """Return the facts that make measurements of `a` and `b` incomparable, in words.

    Example:
    >>> differences(laptop, server)  # doctest: +SKIP
    ['cpu: Apple M3 against AMD EPYC', 'OMP_NUM_THREADS: 2 against unset']
    """
    left, right = _comparable_facts(a), _comparable_facts(b)
    if abs(a.memory_bytes - b.memory_bytes) <= MEMORY_TOLERANCE * max(a.memory_bytes, b.memory_bytes):
        del left["memory"], right["memory"]
    names = list(left | right)
    return [
        f"{name}: {left.get(name, 'unset')} against {right.get(name, 'unset')}"
        for name in names
        if left.get(name) != right.get(name)
    ]


def _comparable_facts(facts: Environment) -> dict[str, Any]:
    flags = {name: value for name, value in facts.flags.items() if not HARMLESS.fullmatch(name)}
    if VISIBLE in flags:
        flags[VISIBLE] = _by_name(flags[VISIBLE], facts.gpus)
    return {
        "cpu": facts.cpu,
        "physical cores": facts.physical_cores,
        "logical cores": facts.logical_cores,
        "usable cores": f"{facts.usable_cores:g}",
        "memory": format_bytes(facts.memory_bytes),
        "system": facts.system,
        "machine": facts.machine,
        "gpus": ", ".join(facts.gpus) or "none",
        "gpu driver": facts.gpu_driver or "none",
        **facts.versions,
        **flags,
    }


def _by_name(devices: str, gpus: tuple[str, ...]) -> str:
    """Return visible devices by what they are: which one of several equal GPUs it was makes no difference."""
    numbers = [int(number) if number.strip().isdigit() else len(gpus) for number in devices.split(",")]
    return ", ".join(gpus[number] for number in numbers) if max(numbers) < len(gpus) else devices


def _cpu() -> str:
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string").strip() or platform.processor()
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _usable_cores() -> float:
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(affinity), _cpu_quota())


def _cpu_quota() -> float:
    """Return the cores that a container may use, infinity without a limit: `cpu.max` of cgroup v2."""
    try:
        quota, period = CPU_QUOTA_FILE.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return float("inf")


@cache
def _versions() -> dict[str, str]:
    """Look once: every record and every plan holds them, and looking takes milliseconds."""
    installed = {package: installed_version(package) or "not installed" for package in PACKAGES}
    return {"python": platform.python_version(), **installed}


def _flags(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in sorted(variables.items()) if FLAG.fullmatch(name) and not PRIVATE.fullmatch(name)
    }


def _gpus() -> tuple[tuple[str, ...], str | None]:
    program = shutil.which("nvidia-smi")
    return _gpus_told_by(program) if program else ((), None)


@cache
def _gpus_told_by(nvidia_smi: str) -> tuple[tuple[str, ...], str | None]:
    """Ask once: every record holds the environment, and the answer takes up to seconds."""
    text = _output(nvidia_smi, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    rows = [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if len(row) == 3]
    names = tuple(f"{name} ({memory})" for name, memory, _ in rows)
    return names, rows[0][2] if rows else None


def _output(program: str, *arguments: str) -> str:
    """Return what a program prints, or nothing where it is missing, fails or hangs."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        # A fixed program of the system, found on the user's own PATH.
        return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=20, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
