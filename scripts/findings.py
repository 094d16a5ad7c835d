"""Write docs/findings.md and its pictures, the tables in docs/concepts.md, and the answer at the top of the README.

    python scripts/findings.py --plan              # what is measured, and how long it takes
    python scripts/findings.py --run [PART ...]    # measure what is missing, on cores that do nothing else
    python scripts/findings.py                     # write the pages from what was kept in docs/data/findings
    python scripts/findings.py --run --quick       # tiny networks, to see that it works; writes into the log folder

Each part fits into 25 minutes on two cores, and one that was interrupted goes on where it was. A part that was not
measured yet leaves its place on the pages as it is. What a part is: scripts/findings_parts/.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from findings_parts import parts

from kerasunroll.errors import KerasunrollError

DOCS: Final = Path(__file__).parents[1] / "docs"


def trial_docs(folder: Path) -> Path:
    """Copy the pages into a folder, so that a quick trial writes no real one."""
    docs = folder / "docs"
    for page in parts.pages(DOCS):
        there = docs.parent / page.relative_to(DOCS.parent)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, there)
    return docs


def main() -> None:
    """Measure what is missing, if that is wanted, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs="*", metavar="PART", help="measure what is missing of these parts, or of all")
    parser.add_argument("--plan", action="store_true", help="tell how long each part takes, and end")
    parser.add_argument("--quick", action="store_true", help="tiny networks; pages are written into the log folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not what was kept")
    parser.add_argument("--logdir", type=Path, help="where the runs are; by default logs/findings")
    arguments = parser.parse_args()
    logdir = arguments.logdir or Path("logs/findings_quick" if arguments.quick else "logs/findings")
    if arguments.plan:
        print(parts.plan(quick=arguments.quick))
        return
    docs = trial_docs(logdir) if arguments.quick else DOCS
    if arguments.check:
        with tempfile.TemporaryDirectory() as images:
            parts.check(docs, Path(images))
        return
    try:
        if arguments.run is not None:
            parts.measure(arguments.run, logdir / "runs", docs, quick=arguments.quick)
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command goes on where it was.")
    except KerasunrollError as error:
        sys.exit(str(error))
    finally:
        parts.write(docs)


if __name__ == "__main__":
    main()
