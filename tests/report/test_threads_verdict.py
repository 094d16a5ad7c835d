"""What a verdict says of the number of threads, on costs that can be worked out by hand."""

from fixed_verdicts import LOOP, inferred, row

from kerasunroll.report.verdict.text import verdict_text
from kerasunroll.report.verdict.verdict import Constraints, verdict

ON_ONE = row("loop-threads1", ratio=0.75)
SAME = "settings compute the same (largest difference 3e-7)."


def text(*rows, **constraints) -> str:
    return verdict_text(verdict(rows, Constraints(**constraints)))


def test_a_number_of_threads_that_is_faster_is_named_with_its_interval():
    assert text(LOOP, ON_ONE) == (
        "Take the loop on one thread. It takes 15.0 ms a training step and compiles in 2.0 s. On one thread this "
        f"network trains 1.3× as fast as on TensorFlow's own number of threads (1.3 to 1.4). Both {SAME}"
    )


def test_a_loop_that_is_faster_but_does_not_pay_is_told_of_once():
    said = text(LOOP, row("loop-threads1", ratio=1.1, compiles=1.0), training_steps=10)
    assert said.startswith("Take the loop on one thread. It takes 22.0 ms a training step and compiles in 1.0 s; the ")
    assert said.count("1.10×") == 1


def test_tensorflows_own_choice_can_be_the_better_one():
    assert text(LOOP, row("loop-threads1", ratio=1.5)) == (
        "Take the loop. It takes 20.0 ms a training step and compiles in 2.0 s. On TensorFlow's own number of threads "
        f"this network trains 1.5× as fast as on one thread (1.4 to 1.6). Both {SAME}"
    )


def test_the_best_setting_is_taken_among_all_numbers_of_threads():
    full, full_on_one = row("full", ratio=0.625), row("full-threads1", ratio=0.5)
    assert verdict([LOOP, ON_ONE, full, full_on_one]).take == "full-threads1"
    assert text(LOOP, ON_ONE, full, full_on_one) == (
        "Take full on one thread. It trains 2.0× faster than the loop (1.9 to 2.1) and compiles in 2.0 s; the loop on "
        "one thread trains 1.5× slower (1.4 to 1.6). On one thread this network trains 1.2× as fast as on TensorFlow's "
        f"own number of threads (1.2 to 1.4). All {SAME}"
    )


def test_several_numbers_that_are_slower_come_in_one_sentence():
    said = text(LOOP, ON_ONE, row("loop-threads4-2", ratio=1.5))
    assert (
        "On one thread this network trains 1.3× as fast as on TensorFlow's own number of threads (1.3 to 1.4) and "
        in said
    )
    assert "2.0× as fast as on 4 threads (2 inter-op) (1.8 to 2.2)." in said


def test_a_number_that_makes_no_difference_is_no_reason():
    said = text(LOOP, row("loop-threads1", ratio=0.99))
    assert said == (
        f"Take the loop. It is a tie: the loop on one thread is no faster and otherwise costs the same. Both {SAME}"
    )


def test_threads_that_compute_something_else_are_out():
    said = text(LOOP, row("loop-threads1", ratio=0.5, difference=0.1))
    assert said.startswith("Take the loop: it is the only setting left.")
    assert "The loop on one thread is out: it computes something else than the loop (" in said


def test_in_inference_it_is_the_forward_pass_that_counts():
    said = text(inferred(LOOP, 0.004), inferred(ON_ONE, 0.002, ratio=0.5), inference=True)
    assert (
        "On one thread this network predicts 2.0× as fast as on TensorFlow's own number of threads (1.9 to 2.1)."
        in said
    )
