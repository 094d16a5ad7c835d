"""What TensorFlow's own log says, and what of it is shown after a crash."""

from pathlib import Path

import pytest

from kerasunroll.measurement.workers.causes import log_tail
from kerasunroll.measurement.workers.xla_log import xla_compile_seconds

# As TensorFlow 2.21 wrote it.
LOG = """\
I0000 00:00:1795383811.911850   11680 dump_mlir_util.cc:269] disabling MLIR crash reproducer, set env var `X` to enable.
I0000 00:00:1795383816.643698   11680 device_compiler.h:208] Compiled cluster using XLA!  Logged at most once.
I0000 00:00:1795383816.648067   11680 device_compiler.h:538] Compilation of XLA executable time: 4.78 s (4779246 us) \
(cumulative: 4.78 s, max: 4.78 s, #called: 1)
I0000 00:00:1795383817.938772   11680 device_compiler.h:538] Compilation of XLA executable time: 905 ms (905044 us) \
(cumulative: 5.68 s, max: 4.78 s, #called: 2)
"""
OLDER = "2025-01-07 11:22:33.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.\n"
ERROR = "E0000 00:00:1795383811.000000   11680 cuda_platform.cc:52] failed call to cuInit\n"


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "timing.log"


def test_the_times_of_all_programs_add_up(log):
    log.write_text(LOG)
    assert xla_compile_seconds(log) == pytest.approx(4.779246 + 0.905044)


@pytest.mark.parametrize("text", ["", OLDER, "Compilation of XLA executable time: soon\n"])
def test_without_xla_there_is_no_time(log, text):
    log.write_text(text)
    assert xla_compile_seconds(log) is None


def test_a_log_that_is_no_text_is_no_trouble(log):
    log.write_bytes(b"\xff\x00" + LOG.encode())
    assert xla_compile_seconds(log) is not None


def test_notes_of_tensorflow_do_not_hide_why_it_crashed(log):
    log.write_text(OLDER + ERROR + "Fatal Python error: Aborted\n" + 70 * (LOG + OLDER))
    assert log_tail(log).splitlines()[1:] == [ERROR.strip(), "Fatal Python error: Aborted"]
    log.write_text(1000 * LOG)  # more than is looked at
    assert log_tail(log) == ""
