"""Reading a file that a user named, with an error that tells them what is wrong with it."""

from pathlib import Path

from kerasunroll.errors import DataError


def read_bytes(path: Path) -> bytes:
    """Return the content of a file that is there, readable and not empty.

    Raises:
        DataError: If it is none of these; the message names the file.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"No such file: '{path}' (looked for {path.absolute()}).") from None
    except IsADirectoryError:
        raise DataError(f"'{path}' is a directory, expected a file. Name a file in it.") from None
    except PermissionError:
        raise DataError(f"'{path}' cannot be read: permission denied. Make it readable for you.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {error}.") from error
    if not content:
        raise DataError(f"'{path}' is empty (0 bytes).")
    return content


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 file, without the byte order mark that some editors put first.

    Raises:
        DataError: If the file cannot be read, is empty, or is not UTF-8; the message names the first
            bad byte.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"'{path}' is not UTF-8: the byte 0x{content[error.start]:02x} at offset {error.start:,} "
            "is not valid there. Save the file as UTF-8."
        ) from None
    return text.removeprefix("\ufeff")
