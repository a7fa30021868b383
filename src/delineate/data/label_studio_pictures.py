"""Which file a task of Label Studio is about.

Its data hold an address: of an upload (``/data/upload/3/1b2c3d4e-name.jpg``, a name after 8
digits), of a local storage (``/data/local-files/?d=folder/name.jpg``), of a bucket or of a server.
The file is the one among the pictures whose path ends like it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, unquote_plus

from delineate.core.image import IMAGE_SUFFIXES
from delineate.core.json_file import kind
from delineate.data.collect import Listed
from delineate.data.pictures import Broken

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_USUAL = ("image", "img", "picture", "photo", "url", "image_url")
_DEEPEST = 6  # folders of an address that are looked for


def address(data: Mapping[str, Any]) -> str:
    """Return the address among a task's data.

    Raises:
        Broken: There is none, or several may be it.
    """
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value.strip()}
    pictures = [key for key, value in texts.items() if _is_picture(value)]
    usual = [key for key in _USUAL if key in texts]
    for candidates in (pictures, [key for key in pictures if key in usual], usual):
        if len(candidates) == 1:
            return texts[candidates[0]]
    if not pictures:
        raise Broken(f"expected the address of a picture in its data, got {kind(data)}", "add it")
    raise Broken(
        f"expected one picture in its data, got {' and '.join(sorted(pictures)[:3])}",
        "call the right one 'image'",
    )


def picture(text: str, folders: Sequence[Path]) -> Listed:
    """Return the picture at an address; its size is not stated.

    Args:
        text: The address.
        folders: In which it may lie, or below.
    """
    names = list(dict.fromkeys(_names(text)))
    for name in names:
        for folder in folders:
            if os.path.lexists(folder / name):
                place = folder / name
                inner = next(f for f in folders if place.is_relative_to(f))
                return Listed(place.relative_to(inner).as_posix(), [place])
    base = PurePosixPath(names[0]).name if names else text
    return Listed(base, [folder / base for folder in folders])


def _is_picture(text: str) -> bool:
    plain = unquote(text).lower()
    return any(part.endswith(IMAGE_SUFFIXES) for part in (plain, plain.partition("?")[0]))


def _names(text: str) -> Iterator[str]:
    """Yield what the file may be called, from the longest path to the plain name."""
    before, mark, local = text.partition("?d=")
    raw = local if mark else before
    spelt = [raw, raw.partition("?")[0]]
    spelt += [decode(name) for name in spelt for decode in (unquote_plus, unquote)]
    paths = [PurePosixPath(_HOST.sub("", name).replace("\\", "/")).parts for name in spelt]
    plain = [[part for part in parts if part not in ("/", "..")] for parts in paths]
    ends = [parts[-_DEEPEST:] for parts in plain if parts]
    for skipped in range(_DEEPEST):
        yield from ("/".join(parts[skipped:]) for parts in ends if len(parts) > skipped)
    yield from (name for parts in ends if (name := _UPLOADED.sub("", parts[-1], 1)) != parts[-1])
