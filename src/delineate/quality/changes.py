"""The list of what a repair has changed, in a form that shows when somebody has altered it.

``changes.json`` states the tool, the date, the SHA-256 of every file of annotations before and
after, and each change with what was there before and after. Its ``digest`` is the SHA-256 of all
the rest in canonical form (ASCII, keys sorted, no spaces), so that an edit of the list, or of the
annotations that it vouches for, does not go unseen. It is no signature by a person: who alters the
list on purpose can compute the digest anew, so keep a copy of it where that matters.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from delineate.core.json_file import finite, read_json
from delineate.errors import DataError

NAME = "changes.json"

_TOOL = "delineate"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a repair has done.

    Attributes:
        kind: The kind of finding that it mends.
        split: Where.
        image_id: The image; None: several, or all.
        annotation_ids: The annotations that it concerns, of an image that is left out all it had.
        left_out: What is not in the copy for it: the "annotation", or the "image" with all its
            annotations; None: nothing, or only what the copy has in another record.
        what: What was done, in words.
        before: What was there, as JSON can hold it; numbers that it has not are written as null.
        after: What is there now, likewise; None: nothing.
    """

    kind: str
    split: str
    image_id: int | None = None
    annotation_ids: tuple[int, ...] = ()
    left_out: Literal["image", "annotation"] | None = None
    what: str
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "kind": self.kind,
            "split": self.split,
            "image_id": self.image_id,
            "annotation_ids": list(self.annotation_ids),
            "left_out": self.left_out,
            "what": self.what,
            "before": finite(self.before),
            "after": finite(self.after),
        }


def changes_file(
    changes: Sequence[Change],
    *,
    source: Path,
    before: Mapping[str, str],
    after: Mapping[str, str],
    version: str,
) -> bytes:
    """Return the content of ``changes.json``.

    Args:
        changes: What was done, in order.
        source: What was repaired.
        before: SHA-256 of its files of annotations by their names.
        after: SHA-256 of those of the copy.
        version: Of Delineate.
    """
    listed: dict[str, Any] = {
        "tool": f"{_TOOL} {version}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(source),
        "source_sha256": dict(before),
        "result_sha256": dict(after),
        "changes": [{"number": i} | c.to_json() for i, c in enumerate(changes, start=1)],
    }
    return json.dumps(listed | {"digest": _digest(listed)}, indent=1).encode()


def check_changes(folder: Path) -> str | None:
    """Tell what is wrong with the ``changes.json`` of a folder.

    Returns:
        A sentence; None: nothing, or there is no such file of ours.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        listed = read_json(path)
    except DataError as error:
        return str(error)
    if not isinstance(listed, dict) or not str(listed.get("tool")).startswith(f"{_TOOL} "):
        return None  # another program's
    if listed.pop("digest", None) != _digest(listed):
        return f"{path} is not as it was written: its digest differs."
    files = listed.get("result_sha256")
    for name, digest in files.items() if isinstance(files, dict) else ():
        file = folder / str(name)
        if not file.is_file() or sha256(file) != digest:
            return f"{file} is not as {NAME} says that it was written: its SHA-256 differs."
    return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _digest(listed: Mapping[str, Any]) -> str:
    canonical = json.dumps(listed, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
