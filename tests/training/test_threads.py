"""Threads: how they are written, what a variant on them is called, and that TensorFlow really has so many."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.planning.variant import Variant, baseline_of
from kerasunroll.measurement.records.record import record_key
from kerasunroll.measurement.workers.worker import Worker
from kerasunroll.models import StackConfig
from kerasunroll.tasks import Regression
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.threads import Threads, name_on, split_name, threads_in_words

KEY = "073a424ad6fb3570"
"""Of the record of this variant's timing, as kerasunroll made it before there were threads."""


def config(threads=None, unroll=False) -> TrainingConfig:
    stack = StackConfig(cell="lstm", input_shape=(4, 2), units=(3,), head=Regression(1), unroll=unroll)
    return TrainingConfig(stack=stack, source="adding", timesteps=4, examples=40, threads=threads)


@pytest.mark.parametrize(
    ("written", "threads", "name", "words"),
    [
        ("1", Threads(1), "loop-threads1", "one thread"),
        (2, Threads(2), "loop-threads2", "2 threads"),
        ("2/1", Threads(2, 1), "loop-threads2-1", "2 threads (1 inter-op)"),
        ("default", None, "loop", "TensorFlow's own number of threads"),
        (None, None, "loop", "TensorFlow's own number of threads"),
    ],
)
def test_threads_are_read_named_and_read_back(written, threads, name, words):
    assert Threads.of(written) == threads
    assert name_on("loop", threads) == name == config(written).setting
    assert split_name(name) == ("loop", threads)
    assert threads_in_words(threads) == words
    again = TrainingConfig(**json.loads(config(written).model_dump_json()))
    assert again == config(written)
    assert again.threads == threads


def test_a_setting_for_each_layer_keeps_its_words():
    assert split_name("loop,full-threads16") == ("loop,full", Threads(16))
    assert split_name("own-loop") == ("own-loop", None)


@pytest.mark.parametrize("bad", ["0", "1025", "-1", "two", "2/", "2/0", "1,2", "1.5", "", True, 1.5])
def test_what_is_no_number_of_threads_is_refused(bad):
    with pytest.raises(InputError, match=r"Invalid threads: expected a number from 1 to 1024 .*, got "):
        config(bad)


def test_records_from_before_there_were_threads_are_found_again():
    variant = Variant(config(), Path("nowhere"))
    assert record_key(variant.question("timing"), variant.setting) == KEY
    on_one = Variant(config("1"), Path("nowhere"))
    assert on_one.question("timing") == variant.question("timing")  # one question, two answers
    assert on_one.group == variant.group


def test_the_others_are_compared_with_the_loop_on_tensorflows_own_threads():
    def first(*of: tuple[str | None, bool]) -> str:
        return baseline_of([Variant(config(*each), Path("nowhere")) for each in of]).setting

    assert first(("1", True), ("1", False), (None, True), (None, False)) == "loop"
    assert first(("2", True), ("2", False), ("1", False)) == "loop-threads2"
    assert first(("2", True), (None, True)) == "full-threads2"


WORKER = """
from kerasunroll.measurement.workers.channel import open_channel
with open_channel() as channel:
    import psutil
    import tensorflow as tf
    from kerasunroll.training.config import TrainingConfig
    from kerasunroll.training.session import prepare
    session = prepare(TrainingConfig(**channel.job))
    session.model(session.source.batch(2)[0])
    told = tf.config.threading
    channel.report(
        told=[told.get_intra_op_parallelism_threads(), told.get_inter_op_parallelism_threads()],
        running=psutil.Process().num_threads(),
    )
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there workers are forked")
def test_a_forked_worker_has_as_many_threads_as_were_asked_for(tmp_path):
    (tmp_path / "the_worker.py").write_text(textwrap.dedent(WORKER))

    def answer(threads):
        env = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "TF_NUM_INTRAOP_THREADS": "7"}
        log = tmp_path / "worker.log"
        job = config(threads).model_dump(mode="json")
        with Worker(job, module="the_worker", log_path=log, env=env, preloaded=True) as worker:
            assert worker.imported  # forked
            return worker.receive()

    few, more, own = answer("1/1"), answer("5/3"), answer(None)
    assert (few["told"], more["told"], own["told"]) == ([1, 1], [5, 3], [0, 0])
    assert more["running"] - few["running"] == (5 - 1) + (3 - 1)
    assert own["running"] > few["running"]


def test_a_process_whose_threads_run_cannot_have_others():
    from kerasunroll.training.devices import use_threads
    from kerasunroll.training.session import prepare

    prepare(config())
    with pytest.raises(RunError, match=r"other threads \(3/2\) any more"):
        use_threads(Threads(3, 2))
