"""Read a CSV file that somebody else wrote, row by row, or say in one sentence why it is none."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from delineate.errors import DataError

_HEAD = 4096  # bytes in which the first row of a file that is only looked at must end


def csv_columns(path: Path) -> list[str]:
    """Return the columns that the first row of a file names; none for what cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return []
    line, ending, _ = head.partition("\n")
    return [name.strip() for name in line.split(",")] if ending else []


def read_csv(path: Path, *columns: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of each line, from 1 on, and its values by column; "" where one lacks.

    Args:
        path: The file.
        columns: Those that it must have, named by its first row.

    Raises:
        DataError: The file is missing, unreadable, no UTF-8, no CSV, or lacks a column.
    """
    rows = read_rows(path)
    _, first = next(rows, (1, []))
    names = [name.strip() for name in first]
    if missing := [name for name in columns if name not in names]:
        raise DataError(
            f"{path}: expected CSV with the columns {', '.join(columns)}, got none called "
            f"{missing[0]}: name such a file, or export it again."
        )
    for line, values in rows:
        yield line, dict.fromkeys(names, "") | dict(zip(names, values, strict=False))


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line, from 1 on, and its values; empty lines are passed over.

    Raises:
        DataError: The file is missing, unreadable, no UTF-8 or no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            yield from ((rows.line_num, values) for values in rows if values)
    except FileNotFoundError:
        raise DataError(f"{path}: expected a file, found none there: check the path.") from None
    except OSError as error:
        raise DataError(
            f"{path}: expected a CSV file, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected CSV in UTF-8, but byte {error.start} is no UTF-8: save it as UTF-8."
        ) from None
    except (csv.Error, ValueError) as error:  # a field without end; a zero byte in the name
        raise DataError(f"{path}: expected CSV, got {error}: export it again.") from None
