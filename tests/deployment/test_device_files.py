"""Real files of real networks: what can be made, what is in it, and whether it computes the same."""

import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kerasunroll import Classification
from kerasunroll.deployment.agreement import agreement
from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.formats.converting import convert, inputs_of, one_step_at_a_time
from kerasunroll.deployment.formats.micro import MICRO_OPERATIONS
from kerasunroll.deployment.formats.reading import arena_bytes, operations_of, size_of
from kerasunroll.deployment.formats.running import open_file
from kerasunroll.errors import InputError
from kerasunroll.models import StackConfig, build_stack

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4, 3)).astype("float32")
CELLS = ("simple_rnn", "lstm", "gru")
SETTINGS = (False, True, 2, "own-loop", "own-full")


def stack(cell="lstm", unroll=False, **options):
    options = {"input_shape": (4, 3), "units": (5, 4), "head": Classification(3), "seed": 1, **options}
    return StackConfig(cell=cell, unroll=unroll, **options)


def made(tmp_path, model, x=X, **options):
    """Return a contender's file, and its outputs for single sequences."""
    contender = Contender(stack=stack(), **options)
    path = tmp_path / contender.file_name
    convert(model, contender, x, path)
    run = open_file(contender, path)
    size = contender.batch_size
    leaves = inputs_of(x)
    parts = [run([leaf[at : at + size] for leaf in leaves]) for at in range(0, len(leaves[0]), size)]
    return path, [np.concatenate(each) for each in zip(*parts, strict=True)]


def tensor_types(path):
    """Return the types of the tensors in a file, read by its schema."""
    graph = schema.Model.GetRootAsModel(path.read_bytes(), 0).Subgraphs(0)
    names = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    return {names[graph.Tensors(place).Type()] for place in range(graph.TensorsLength())}


@pytest.mark.parametrize("unroll", SETTINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_in_every_setting_converts_for_a_fixed_batch_and_computes_the_same(tmp_path, cell, unroll):
    model = build_stack(stack(cell, unroll))
    path, (outputs,) = made(tmp_path, model)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    operations = operations_of("litert", path)
    assert (operations.get("WHILE", 0) > 0) == (unroll in (False, 2, "own-loop"))
    assert set(operations) <= MICRO_OPERATIONS
    assert size_of(path) == len(path.read_bytes())


@pytest.mark.parametrize("unroll", [True, "own-loop"])
def test_for_any_batch_keras_s_loop_is_refused_and_others_convert(tmp_path, unroll):
    model = build_stack(stack(unroll=unroll))
    _, (outputs,) = made(tmp_path, model, form="dynamic", batch_size=4)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    with pytest.raises(Exception, match="TensorList"):
        made(tmp_path, build_stack(stack()), form="dynamic")


def test_with_flex_the_loop_converts_with_operations_of_tensorflow(tmp_path):
    contender = Contender(stack=stack(), form="flex")
    path = tmp_path / contender.file_name
    convert(build_stack(stack()), contender, X, path)
    flex = [name for name in operations_of("litert", path) if name.startswith("Flex")]
    assert "FlexTensorListReserve" in flex
    with pytest.raises(RuntimeError, match="Select TensorFlow op"):
        open_file(contender, path)([X[:1]])  # neither LiteRT's interpreter nor TensorFlow's has them


@pytest.mark.parametrize("quantization", ["float16", "int8"])
def test_quantised_files_are_smaller_in_weights_and_nearly_the_same(tmp_path, quantization):
    big = stack("gru", True, units=(32,))
    model = build_stack(big)
    whole, _ = made(tmp_path, model)
    path, outputs = made(tmp_path, model, quantization=quantization)
    figures = agreement([model(X).numpy()], outputs)
    assert figures["noise_db"] > {"float16": 50, "int8": 10}[quantization]
    assert figures["largest_difference"] > 0
    assert tensor_types(path) >= {quantization.upper()}
    assert quantization.upper() not in tensor_types(whole)


def test_one_time_step_at_a_time_ends_where_the_whole_sequence_does(tmp_path):
    model = build_stack(stack("gru"))
    step = one_step_at_a_time(model, batch_size=1)
    contender = Contender(stack=stack("gru"), form="streaming")
    path = tmp_path / contender.file_name
    convert(step, contender, X[:, :1], path)
    for at in range(3):  # a fresh interpreter begins with states of zero
        (last,) = open_file(contender, path)([X[at : at + 1]])
        np.testing.assert_allclose(last, model(X[at : at + 1]), rtol=1e-5, atol=1e-6)
    run = open_file(contender, path)
    run([X[:1]])
    (after_another,) = run([X[:1]])
    assert not np.allclose(after_another, model(X[:1]), rtol=1e-3)


def test_what_reads_backwards_cannot_be_run_step_by_step():
    with pytest.raises(InputError, match="goes backwards"):
        one_step_at_a_time(build_stack(stack(bidirectional=True)), batch_size=1)


def test_several_inputs_and_outputs_keep_their_places(tmp_path):
    series, fixed = keras.Input((4, 3), name="series"), keras.Input((2,), name="fixed")
    both = keras.layers.Concatenate()([keras.layers.LSTM(5, unroll=True)(series), fixed])
    model = keras.Model({"series": series, "fixed": fixed}, [keras.layers.Dense(2)(both), keras.layers.Dense(1)(both)])
    x = {"series": X, "fixed": X[:, 0, :2]}
    for form in ("fixed", "dynamic"):
        _, outputs = made(tmp_path, model, x, form=form)
        for ours, theirs in zip(outputs, model(x), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("unroll", [False, True])
def test_onnx_passes_its_own_checker_and_computes_the_same(tmp_path, unroll):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    model = build_stack(stack(unroll=unroll))
    path, (outputs,) = made(tmp_path, model, target="onnx", form="dynamic", batch_size=3)
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    assert ("LSTM" in operations_of("onnx", path)) == (not unroll)  # tf2onnx knows the loop of an LSTM


def test_a_saved_model_is_the_baseline(tmp_path):
    model = build_stack(stack())
    path, (outputs,) = made(tmp_path, model, target="saved_model", form="dynamic", batch_size=4)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    assert size_of(path) == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_the_arena_of_one_product_is_its_input_and_its_output(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    path, _ = made(tmp_path, model, X[:, 0])
    assert arena_bytes(path.read_bytes()) == 4 * 3 + 4 * 4


def test_the_arena_of_a_chain_is_its_widest_place(tmp_path):
    model = keras.Sequential([keras.Input((3,)), *(keras.layers.Dense(units) for units in (50, 20, 2))])
    path, _ = made(tmp_path, model, X[:, 0])
    assert arena_bytes(path.read_bytes()) == 4 * (50 + 20)


def test_the_file_of_another_network_is_noticed(tmp_path):
    model, other = build_stack(stack()), build_stack(stack(seed=2))
    _, outputs = made(tmp_path, other)
    wrong, right = agreement([model(X).numpy()], outputs), agreement([other(X).numpy()], outputs)
    assert right["largest_difference"] < 1e-6 < 1e-2 < wrong["largest_difference"]
    assert right["same_class"] == 1
    assert wrong["noise_db"] < 20 < right["noise_db"]


def test_figures_of_agreement_are_those_of_a_hand_computation():
    figures = agreement([np.array([[3.0, 4.0], [0.0, 5.0]])], [np.array([[3.0, 4.0], [5.0, 0.0]])])
    assert figures["largest_difference"] == 5
    assert figures["noise_db"] == pytest.approx(10 * np.log10(50 / 50))
    assert figures["same_class"] == 0.5
