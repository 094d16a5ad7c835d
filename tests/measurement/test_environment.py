import math
import os
import platform
import sys

import numpy
import psutil
import pytest

from kerasunroll.measurement.records import environment as module
from kerasunroll.measurement.records.environment import Environment, differences, environment

FACTS = {
    "cpu": "AMD EPYC",
    "physical_cores": 2,
    "logical_cores": 4,
    "usable_cores": 4,
    "memory_bytes": 16_000_000_000,
    "system": "Linux 6.1",
    "machine": "x86_64",
    "versions": {"python": "3.11.7", "tensorflow": "2.21.0"},
    "flags": {"OMP_NUM_THREADS": "2"},
    "gpus": (),
    "gpu_driver": None,
}


def test_this_machine_is_described():
    found = environment()
    assert found.logical_cores == psutil.cpu_count()
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.machine == platform.machine()
    assert found.versions["python"] == sys.version.split()[0]
    assert found.versions["numpy"] == numpy.__version__
    assert found.cpu


def test_an_environment_survives_json_and_cannot_be_changed():
    found = environment({"OMP_NUM_THREADS": "2"})
    assert Environment.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(TypeError):
        found.flags["OMP_NUM_THREADS"] = "4"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_only_cores_that_may_be_used_count():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert environment().usable_cores == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("text", "quota"), [("50000 100000\n", 0.5), ("max 100000\n", math.inf), (None, math.inf)])
def test_a_container_s_quota_limits_the_usable_cores(tmp_path, monkeypatch, text, quota):
    file = tmp_path / "cpu.max"
    if text:
        file.write_text(text)
    monkeypatch.setattr(module, "CPU_QUOTA_FILE", file)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert environment().usable_cores == min(quota, allowed)


def test_variables_that_matter_are_recorded_and_nothing_private():
    wanted = {
        "TF_NUM_INTRAOP_THREADS": "2",
        "TF2_BEHAVIOR": "1",
        "XLA_FLAGS": "--xla_dump_to=/tmp",
        "OMP_NUM_THREADS": "1",
        "KMP_AFFINITY": "none",
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_BACKEND": "tensorflow",
        "LD_PRELOAD": "libtcmalloc.so",
    }
    others = {
        "HOME": "/root",
        "AWS_SECRET_ACCESS_KEY": "x",
        "TF_TOKEN_app_terraform_io": "x",
        "TF_VAR_password": "x",
        "KERAS_API_KEY": "x",
        "NVIDIA_API_TOKEN": "x",
        "MYTF_FLAG": "x",
    }
    assert environment(wanted | others).flags == wanted


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ({"cpu": "Intel Xeon"}, "cpu: AMD EPYC against Intel Xeon"),
        ({"usable_cores": 1.5}, "usable cores: 4 against 1.5"),
        ({"memory_bytes": 8_000_000_000}, "memory: 16.0 GB against 8.0 GB"),
        ({"system": "Linux 6.2"}, "system: Linux 6.1 against Linux 6.2"),
        ({"versions": {"python": "3.11.7", "tensorflow": "2.20.0"}}, "tensorflow: 2.21.0 against 2.20.0"),
        ({"flags": {"OMP_NUM_THREADS": "1"}}, "OMP_NUM_THREADS: 2 against 1"),
        ({"flags": {}}, "OMP_NUM_THREADS: 2 against unset"),
        ({"gpus": ("Tesla T4 (15360 MiB)",)}, "gpus: none against Tesla T4 (15360 MiB)"),
        ({"gpu_driver": "550.54"}, "gpu driver: none against 550.54"),
    ],
)
def test_differences_name_the_fact_and_both_values(fact, words):
    assert differences(Environment(**FACTS), Environment(**FACTS | fact)) == [words]


@pytest.mark.parametrize(
    "fact",
    [
        {},
        {"memory_bytes": 16_000_123_456},
        {"flags": {"OMP_NUM_THREADS": "2", "TF_CPU_ALLOCATOR_USE_BFC": "true"}},
        {"flags": {"OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}},
    ],
)
def test_harmless_facts_are_no_difference(fact):
    assert differences(Environment(**FACTS), Environment(**FACTS | fact)) == []


@pytest.mark.parametrize(
    ("script", "gpus", "driver"),
    [
        ("echo 'NVIDIA H200, 143771 MiB, 550.54.15'; echo 'NVIDIA H200, 143771 MiB, 550.54.15'", 2, "550.54.15"),
        ("echo 'NVIDIA-SMI has failed because it could not talk to the driver'; exit 9", 0, None),
        ("echo 'No devices were found'", 0, None),
    ],
)
def test_gpus_are_what_nvidia_smi_says(tmp_path, monkeypatch, script, gpus, driver):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = environment()
    assert found.gpus == ("NVIDIA H200 (143771 MiB)",) * gpus
    assert found.gpu_driver == driver


def test_no_gpu_without_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment().gpus == ()


def test_nvidia_smi_is_asked_once(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho 'NVIDIA H200, 143771 MiB, 550.54.15'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert environment() == environment()
    assert (tmp_path / "asked").read_text() == "asked\n"
