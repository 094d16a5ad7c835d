"""The results of a comparison as files for programs to read: one of JSON, one of comma-separated values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic_core import to_json

from kerasunroll import __version__
from kerasunroll.files import write_whole
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.table import to_csv
from kerasunroll.report.rows import Row
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.report.verdict.summary import summary
from kerasunroll.report.verdict.text import small_print, verdict_text
from kerasunroll.report.verdict.verdict import Verdict

RESULTS_FILE: Final = "results.json"
RECORDS_FILE: Final = "results.csv"


def write_results(
    rows: Sequence[Row], measured: Sequence[Measured], folder: Path, verdicts: Sequence[Verdict] = ()
) -> Path:
    """Write `results.json`: the environment, everything known of each variant, the verdicts, and what grows how with T.

    Args:
        rows: One row per variant.
        measured: What the rows were made from; any record may be missing.
        folder: Path. The folder of the comparison.
        verdicts: The verdicts on the groups. Defaults to none.

    Returns:
        The path of the file.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    path = folder / RESULTS_FILE
    environments = [record.environment for each in measured for record in each.records]
    content = {
        "kerasunroll_version": __version__,
        "environment": environments[0].model_dump(mode="json") if environments else None,
        "variants": [row.as_json() for row in rows],
        "verdicts": [
            each.as_json() | {"text": verdict_text(each), "small_print": small_print(each)} for each in verdicts
        ],
        "summary": summary(verdicts),
        "growth": [sweep.as_json() for sweep in find_sweeps(rows)],
    }
    # As in records: what JSON has no number for, such as the loss of a diverged training, is written as a string.
    write_whole(path, to_json(content, indent=1, inf_nan_mode="strings").decode() + "\n")
    return path


def write_records(measured: Sequence[Measured], folder: Path) -> Path:
    """Write `results.csv`: a line for each record, with the columns of `to_dataframe`.

    Args:
        measured: What was measured; any record may be missing.
        folder: Path. The folder of the comparison.

    Returns:
        The path of the file.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    path = folder / RECORDS_FILE
    to_csv((record for each in measured for record in each.records), path)
    return path
