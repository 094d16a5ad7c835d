"""What is kept of measurements: plans and records in one compressed file, from which pages are drawn again."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kerasunroll.measurement.planning.plan import PLAN_FILE
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.store import RECORDS

OUTPUTS: Final = "outputs.npz"
"""Of each variant: the differences between the settings are taken from it."""

DIGITS: Final = 4
"""Of each time that was taken in rounds, so that a file has some hundred kB; the intervals are far wider."""


def pack(runs: Iterable[Path], archive: Path, names: Iterable[str]) -> None:
    """Put files and folders of several runs into one compressed file.

    Args:
        runs: Paths. The folders of the runs, whose names are kept.
        archive: Path. The file, which ends in `.tar.xz`; its folder is made if needed.
        names: Strings. What is kept of each run's folder, where it is there.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as into:
        for folder in sorted(runs):
            for name in sorted(names):
                if (folder / name).exists():
                    into.add(folder / name, f"{folder.name}/{name}", filter=_anonymous)


def _anonymous(facts: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a file's facts without who wrote it and when."""
    facts.uid = facts.gid = facts.mtime = 0
    facts.uname = facts.gname = ""
    return facts


@contextmanager
def unpacked(*archives: Path) -> Iterator[Path]:
    """Give a temporary folder with all runs of some files."""
    with tempfile.TemporaryDirectory() as runs:
        for archive in archives:
            with tarfile.open(archive) as kept:
                kept.extractall(runs, filter="data")
        yield Path(runs)


def pack_comparison(run: Path, archive: Path) -> None:
    """Keep plan, records and outputs of one comparison; its times are rounded to four digits.

    Args:
        run: Path. The folder of the comparison; in the archive it has the same name.
        archive: Path.
    """
    with tempfile.TemporaryDirectory() as runs:
        copy = Path(runs) / run.name
        copy.mkdir()
        shutil.copy(run / PLAN_FILE, copy)
        for record in store.load(run / RECORDS).records:
            store.save(_rounded(record), copy / RECORDS)
        for path in run.glob(f"*/*/{OUTPUTS}"):
            there = copy / path.relative_to(run)
            there.parent.mkdir(parents=True)
            shutil.copy(path, there)
        pack([copy], archive, [path.name for path in copy.iterdir()])


def _rounded(record: Record) -> Record:
    samples = {
        name: [[[float(f"{value:.{DIGITS}g}") for value in block] for block in rounds] for rounds in processes]
        for name, processes in record.samples.items()
    }
    return Record.model_validate(record.model_dump() | {"samples": samples})
