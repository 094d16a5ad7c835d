"""Several numbers of threads: each reaches the runtime, is a row of its own, and the verdict says which to take."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasunroll import Classification
from kerasunroll.deployment.contender import Contender, contenders
from kerasunroll.deployment.formats.converting import convert
from kerasunroll.models import StackConfig, build_stack

X = np.random.default_rng(0).normal(size=(4, 4, 3)).astype("float32")
COUNT = """
import sys
import numpy as np
import psutil
from pathlib import Path
from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.formats.running import open_file, use_threads

contender = Contender.model_validate_json(sys.argv[1])
use_threads(contender)
run = open_file(contender, Path(sys.argv[2]))
for _ in range(3):
    run([np.zeros((1, 4, 3), "float32")])
print(psutil.Process().num_threads())
"""


@pytest.mark.parametrize("target", ["litert", "onnx", "saved_model"])
def test_the_number_of_threads_reaches_the_runtime(target, tmp_path):
    """The operating system says how many there are: of three there are two more, in TensorFlow twice."""
    if target == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    keras.utils.set_random_seed(0)
    stack = StackConfig(cell="lstm", input_shape=(4, 3), units=(4,), head=Classification(3), unroll=True)
    form = "fixed" if target == "litert" else "dynamic"
    path = tmp_path / Contender(stack=stack, target=target, form=form).file_name
    convert(build_stack(stack), Contender(stack=stack, target=target, form=form), X, path)

    def threads(number):
        contender = Contender(stack=stack, target=target, form=form, threads=number).model_dump_json()
        command = [sys.executable, "-c", COUNT, contender, str(path)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)

    assert threads(3) - threads(1) == (4 if target == "saved_model" else 2)


def test_a_file_is_the_same_for_every_number_of_threads_and_a_record_is_not():
    stack = StackConfig(cell="lstm", input_shape=(4, 3), units=(4,), head=Classification(3))
    one, two = contenders([stack], ["onnx"], ["none"], [1, 2])
    assert one.file_name == two.file_name == "loop-dynamic-onnx.onnx"
    assert (one.name, two.name) == ("loop dynamic onnx", "loop dynamic onnx 2 threads")
    assert one.run_name != two.run_name
