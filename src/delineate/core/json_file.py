"""Read a JSON file that somebody else wrote, or say in one sentence why it is none.

Python reads, and writes, NaN and Infinity, which are no JSON: what goes out is made `finite`.
"""

import json
import math
from pathlib import Path
from typing import Any

from delineate.errors import DataError


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the content of a JSON file.

    Raises:
        DataError: The file is missing, unreadable, empty, no UTF-8, no JSON, or breaks off.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: expected a file, found none there: check the path.") from None
    except OSError as error:
        raise DataError(
            f"{path}: expected a JSON file, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected JSON in UTF-8, but byte {error.start} is no UTF-8: "
            "name a JSON file, or save it as UTF-8."
        ) from None
    except ValueError as error:  # a zero byte in the name
        raise DataError(f"{path}: expected a file's name, got one with {error}: mend it.") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(_not_json(path, text, error)) from None
    except RecursionError:
        raise DataError(
            f"{path}: expected JSON, got it nested beyond any use: export it again."
        ) from None
    except ValueError as error:  # an integer of thousands of digits
        raise DataError(f"{path}: expected JSON, got {error}: export it again.") from None


def _not_json(path: Path, text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return f"{path}: expected JSON, but the file is empty: export or download it again."
    at_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
    if at_end and text.lstrip()[0] in "[{":
        return (
            f"{path}: expected whole JSON, but the file breaks off after {len(text)} characters: "
            "export or download it again."
        )
    return (
        f"{path}: expected JSON, got other text in line {error.lineno}, column {error.colno} "
        f"({error.msg}): name a JSON file, or export it again."
    )


def text_of(value: object) -> str:
    """Return a value as JSON text; see `finite`."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(finite(value))


def finite(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value with null in the place of NaN and the infinite: JSON has neither."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [finite(part) for part in value]
        case dict():
            return {key: finite(part) for key, part in value.items()}
        case _:
            return value


def kind(value: object) -> str:
    """Return what a JSON value is, in words for a message."""
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return f"the value {json.dumps(value)[:40]}"
        case str():
            return f"the text {value[:40]!r}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            keys = ", ".join(map(str, list(value)[:6]))
            return f"an object with the keys {keys}" if value else "an empty object"
        case _:
            return type(value).__name__
