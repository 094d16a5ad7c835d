"""The advice on a machine whose costs can be reckoned in the head (`small_machine`)."""

import re

import pytest
from small_machine import MB, machine, reference

import kerasunroll
from kerasunroll.advice import Layer, Network
from kerasunroll.advice.advice import advise_network, settings_for, this_machine
from kerasunroll.errors import InputError
from kerasunroll.measurement.records.environment import environment

NETWORK = Network((Layer("lstm", units=10, features=1, timesteps=100),), batch_size=1)
SETTINGS = ("loop", "full", "own-loop")
"""They take 1, 10.9 and 4 s until the first training step, then 100 ms (and 40 µs), 50 ms and 25 ms each."""


def advice(settings=SETTINGS, *, network=NETWORK, spread=0.01, **options):
    return advise_network(network, settings, reference(spread), machine(), **options)


def test_predictions_by_hand():
    loop, full, own = advice().predictions
    assert [each.ready_seconds for each in (loop, full, own)] == pytest.approx([1, 1 + 99 * 0.1, 4])
    products = 100 * 4 * 10 * 10 * 1e-9
    assert [each.step_seconds for each in (loop, full, own)] == pytest.approx([0.1 + products, 0.05 + products, 0.025])
    assert loop.total_seconds(10) == pytest.approx(1 + 10 * (0.1 + products))
    assert full.tensor_peak_bytes == pytest.approx(40 * 100 * 10)
    assert [each.process_growth_bytes for each in (loop, full, own)] == [50 * MB, 545 * MB, 150 * MB]
    assert own.process_peak_bytes == 750 * MB


@pytest.mark.parametrize(
    ("training_steps", "taken"), [(10, "loop"), (39, "loop"), (41, "own-loop"), (None, "own-loop")]
)
def test_a_longer_compile_has_to_pay_for_itself(training_steps, taken):
    """Our loop's 3 s more have paid for themselves after 40 training steps that take 75 ms less each."""
    assert advice(training_steps=training_steps).recommended == taken


def test_what_does_not_fit_into_the_memory_is_out():
    found = advice(memory_limit=700 * MB)
    assert found.recommended == "loop"
    assert found.out == {
        "full": "it would take about 1.1 GB, and the limit is 700.0 MB",
        "own-loop": "it would take about 750.0 MB, and the limit is 700.0 MB",
    }
    assert advice(memory_limit=MB).recommended is None
    assert advice(memory_limit=MB).text.startswith("No setting can be recommended. The loop is out: it would take")


def test_what_predictions_cannot_tell_apart_is_named():
    """At 41 training steps the two differ by 1 %, at 400 by a factor of 3."""
    assert advice(training_steps=41, spread=0.05).close == ("loop",)
    assert advice(training_steps=41, spread=0.0001).close == ()
    assert advice(training_steps=400, spread=0.05).close == ()


def test_the_text():
    assert advice(training_steps=1000).text == (
        "Take own-loop. Over 1,000 training steps it will take about 29.0 s: 4.00 s until the first training step, "
        "then 25.0 ms for each training step; full 2.10× as long and the loop 3.48× as long. Beside the "
        "loop its longer compile has paid for itself after about 40 training steps. Predicted, not measured: times to "
        "about ±5 %, memory to ±5 %."
    )


def test_the_text_of_what_is_close_and_what_is_out():
    text = advice(training_steps=41, spread=0.05, memory_limit=1000 * MB).text
    assert "Too close to tell without measuring: the loop." in text
    assert "full is out: it would take about 1.1 GB, and the limit is 1.0 GB." in text
    assert "times to about ±10 %" in text


def test_in_inference_forward_passes_count():
    found = advice(inference=True, training_steps=100)
    loop, _, own = found.predictions
    assert (loop.ready_seconds, loop.step_seconds) == pytest.approx((0.5, 0.01))
    assert own.ready_seconds == pytest.approx(1.5)
    assert loop.tensor_peak_bytes == pytest.approx(4 * 100 * 10)
    assert (
        "Over 100 batches it will take about 1.50 s: 500 ms until the first batch, then 10.0 ms for each batch"
        in found.text
    )


def test_a_setting_that_is_given_twice_counts_once():
    assert [each.setting for each in advice(["loop", False, "k8", 8]).predictions] == ["loop", "k8"]


@pytest.mark.parametrize(("timesteps", "offered"), [(32, True), (33, False)])
def test_ours_is_laid_out_in_full_for_short_sequences_only(timesteps, offered):
    assert ("own-full" in settings_for(Network((Layer("lstm", 4, 1, timesteps),), 1))) == offered


def test_a_setting_for_each_layer():
    network = Network((Layer("lstm", 10, 1, 100), Layer("lstm", 10, 10, 100)), 1)
    (mixed,) = advice(["loop,full"], network=network).predictions
    assert mixed.setting == "loop,full"
    assert mixed.ready_seconds == pytest.approx(1 + 99 * 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": ["fast"]}, "expected loop, full"),
        ({"settings": ["auto"]}, "'auto' tries settings by itself"),
        ({"settings": []}, "at least one setting"),
        ({"settings": ["loop,full"]}, "1 layers, got 2"),
        ({"training_steps": 0}, "Invalid training_steps: expected an integer of at least 1, got 0"),
        ({"memory_limit": -1}, "Invalid memory_limit"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        advice(**options)


def test_gpus_are_unknown(monkeypatch):
    gpu = environment().model_copy(update={"gpus": ("A GPU (8 GB)",)})
    monkeypatch.setattr("kerasunroll.advice.advice.environment", lambda: gpu)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(InputError, match=re.escape("TensorFlow would run on A GPU (8 GB)")):
        this_machine(reference())


@pytest.fixture
def known_machine(monkeypatch):
    """This machine, as fast as the reference one."""
    monkeypatch.setattr("kerasunroll.advice.advice.calibration", lambda *_, **__: machine())


def test_a_bad_question_is_refused_before_the_machine_is_measured(monkeypatch):
    monkeypatch.setattr("kerasunroll.advice.advice.calibration", None)
    with pytest.raises(InputError, match="expected loop, full"):
        kerasunroll.advise(timesteps=10, settings=["fast"])


@pytest.mark.usefixtures("known_machine")
class TestShippedReference:
    """What ships with the package, as `kerasunroll.advise` uses it."""

    @pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
    def test_every_setting_of_every_cell_costs_something(self, cell):
        found = kerasunroll.advise(
            cell, timesteps=50, units=32, settings=("loop", "full", "k4", "own-loop", "own-full")
        )
        for each in found.predictions:
            assert 0.3 < each.ready_seconds < 300
            assert 1e-4 < each.step_seconds < 1
            assert 0 < each.tensor_peak_bytes < each.process_peak_bytes
            assert 20 * MB < each.process_growth_bytes < 2000 * MB

    def test_what_everybody_has_seen(self):
        """Full compiles longer the longer the sequence, the loop does not; and the time of a step grows with T."""
        short, long = (kerasunroll.advise("lstm", timesteps=t, settings=("loop", "full")) for t in (20, 200))
        assert long.prediction("full").ready_seconds > 4 * short.prediction("full").ready_seconds
        assert long.prediction("loop").ready_seconds == pytest.approx(short.prediction("loop").ready_seconds)
        for setting in ("loop", "full"):
            assert long.prediction(setting).step_seconds > 3 * short.prediction(setting).step_seconds
            assert long.prediction(setting).tensor_peak_bytes > 3 * short.prediction(setting).tensor_peak_bytes

    def test_a_short_training_is_advised_otherwise_than_a_long_one(self):
        first = kerasunroll.advise("gru", timesteps=100, training_steps=1)
        assert first.recommended == "loop"
        assert kerasunroll.advise("gru", timesteps=100, training_steps=100_000).recommended != "loop"

    @pytest.mark.parametrize("wrong", [{"cell": "rnn"}, {"timesteps": 0}, {"units": ()}, {"batch_size": 0}])
    def test_bad_shapes(self, wrong):
        with pytest.raises(InputError):
            kerasunroll.advise(**{"timesteps": 10} | wrong)


def test_it_shows_itself():
    found = advice(training_steps=1000, memory_limit=1000 * MB)
    lines = repr(found).splitlines()
    assert lines[0] == found.text
    assert lines[2].startswith("Predicted: ")
    assert [line.split()[0] for line in lines[3:]] == ["setting", "loop", "full", "own-loop"]
    assert lines[-1].split("  ")[-1].strip() == "750.0 MB"
    html = found._repr_html_()
    assert all(f">{setting}</td>" in html for setting in ("loop", "full", "own-loop"))
    assert "<svg" in html
    assert "Predicted time of 1,000 training steps" in html
