"""Read a text file that somebody else wrote, or say in one sentence why it cannot be read."""

from pathlib import Path

from delineate.errors import DataError


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without space around them and without empty ones.

    Raises:
        DataError: The file is missing, unreadable or no UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path}: expected a text file, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected text in UTF-8, but byte {error.start} is no UTF-8: save it as UTF-8."
        ) from None
    return [line.strip() for line in text.splitlines() if line.strip()]
