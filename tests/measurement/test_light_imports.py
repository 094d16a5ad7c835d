import subprocess
import sys

import pytest

MODULES = (
    *("records.environment", "records.record", "records.store", "records.table"),
    *("statistics.rounds", "statistics.instabilities", "statistics.growth"),
    *("workers.worker", "workers.channel"),
)


@pytest.mark.parametrize("module", MODULES)
def test_it_loads_without_what_is_heavy(module):
    heavy = {"tensorflow", "keras", "pandas", "scipy", "sklearn", "matplotlib"}
    program = f"import sys, kerasunroll.measurement.{module}; print(*({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_worker_loads_next_to_nothing_before_its_job_arrives():
    heavy = "{'numpy', 'pydantic', 'psutil'}"
    program = f"import sys, kerasunroll.measurement.workers.channel; print(*({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
