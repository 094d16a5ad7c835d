"""A folder of records, one file each: what has been measured survives whatever happens later.

A file holds `{"checksum": ..., "record": ...}`. Its name tells variant and identity, and a random part lets any number
of processes write into one folder at once. The checksum is that of the record's content: you may reformat a file, but a
changed value is noticed.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue, ValidationError

from kerasunroll.errors import InputError
from kerasunroll.files import write_whole
from kerasunroll.measurement.records.record import Record, canonical, upgrade

SUFFIX: Final = ".record.json"

RECORDS: Final = "records"
"""The folder of a comparison's records, below its own."""


@dataclass(frozen=True)
class Damaged:
    """A file that is not a complete, unchanged record, and was set aside.

    Args:
        path: Path where it lies now: its old name with `.damaged` at the end, if it could be renamed.
        reason: String. What is wrong with it.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Contents:
    """What a folder holds.

    Args:
        records: Tuple of `Record`, oldest first.
        damaged: Tuple of `Damaged`: the files that were set aside just now.
    """

    records: tuple[Record, ...]
    damaged: tuple[Damaged, ...]


def save(record: Record, folder: str | Path) -> Path:
    """Write a record to a new file in `folder`, which is made if needed.

    Returns:
        The path of the file.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed, such as on a full disk. No half-written file is left behind.
    """
    data = json.loads(record.model_dump_json())
    name = re.sub(r"[^A-Za-z0-9_.,-]", "_", record.variant)[:80]
    path = Path(folder) / f"{name}-{record.key}-{secrets.token_hex(6)}{SUFFIX}"
    write_whole(path, json.dumps({"checksum": _checksum(data), "record": data}, indent=1) + "\n")
    return path


def load(folder: str | Path, *, set_aside: bool = True) -> Contents:
    """Read every record in `folder`; set aside each file that is torn, truncated or edited.

    A folder that does not exist holds nothing.

    Args:
        folder: Path.
        set_aside: Boolean. Whether damaged files are renamed; else they stay where they are. Defaults to `True`.

    Raises:
        InputError: If a file cannot be read at all, or was written by a newer kerasunroll. It is left as it is.
    """
    records: list[Record] = []
    damaged: list[Damaged] = []
    for path in sorted(Path(folder).glob(f"*{SUFFIX}")):
        try:
            records.append(_read(path))
        except FileNotFoundError:
            continue  # set aside by another process, this very moment
        except OSError as error:
            raise InputError(f"Cannot read '{path}': {error.strerror}.") from error
        except InputError as error:
            raise InputError(f"Cannot use '{path}'. {error}") from error
        except (ValueError, RecursionError) as error:
            damaged.append(_set_aside(path, error) if set_aside else Damaged(path, str(error)))
    return Contents(tuple(sorted(records, key=lambda record: record.created)), tuple(damaged))


def _read(path: Path) -> Record:
    """Return the record in a file; a `ValueError` says what is wrong with the file."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"it is not JSON, or only a part: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("record"), dict):
        raise ValueError("it holds no record")
    if content.get("checksum") != _checksum(content["record"]):
        raise ValueError("its checksum does not fit: it was changed after it was written")
    try:
        return Record.model_validate(upgrade(content["record"]))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _checksum(data: JsonValue) -> str:
    return "sha256:" + hashlib.sha256(canonical(data).encode()).hexdigest()


def _set_aside(path: Path, error: Exception) -> Damaged:
    aside = path.with_name(path.name + ".damaged")
    try:
        path.rename(aside)
    except OSError as problem:
        return Damaged(path, f"{error} (it could not be renamed: {problem.strerror})")
    return Damaged(aside, str(error))
