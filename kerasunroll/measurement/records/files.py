"""Writing a file whole or not at all."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from kerasunroll.errors import InputError, RunError

NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader, a crash or a power cut never sees half of it.

    The folder is made if needed. It goes to a temporary file in the same folder, which is flushed to the
    disk and then takes the place of `path` in one move.

    Args:
        path: Path of the file.
        content: String, written as UTF-8, or bytes.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed, such as on a full disk. Nothing of the file is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            reason = "It is a file" if isinstance(error, FileExistsError) else error.strerror
            raise InputError(f"Cannot write to folder '{path.parent}': {reason}. Choose another.") from error
        raise RunError(
            f"Could not write '{path}': {error.strerror}. Nothing half-written is left; what was written before "
            "is whole. Make room, then run the same command again."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the file's new name last through a power cut, not just its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
