"""The table that ties labels 0..C-1 to names, to the source's ids and to colours.

It travels with data, checkpoints, exports and answers. Two tables are compared by their names,
never by their numbers: COCO counts its 80 classes up to 90, and so does nobody else.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from delineate.errors import ClassMismatch, DataError

ID_LIMIT = 2**63
"""Ids of images and classes are whole numbers from 0 on, below this: what COCO evaluation takes."""

_SHOWN = 10  # names in a message
_LONGEST = 60  # characters of a name in a message
_CONTROLS = {"Cc", "Zl", "Zp", "Cs"}  # categories of Unicode that upset a terminal or a table

_FIRST_HUE, _GOLDEN_ANGLE = 25.0, 137.50776  # degrees
_SHADES = ((0.72, 0.15), (0.55, 0.16), (0.86, 0.12))  # lightness and chroma
_OKLAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The classes of a data set or a model, in the order of their labels.

    Attributes:
        names: Name of label 0, 1, ...
        source_ids: What the source calls them, for COCO the `id` of the category.
        own_ids: Whether these are the source's; False: it has none, and they are mere numbers.
        from_objects: Whether these are but the classes that objects have; False: a list says so.

    Raises:
        DataError: A name is empty or has control characters, an id is none, or one comes twice.
    """

    names: tuple[str, ...]
    source_ids: tuple[int, ...]
    own_ids: bool = field(default=True, repr=False, compare=False)
    from_objects: bool = field(default=False, repr=False, compare=False)
    _labels: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "source_ids", tuple(self.source_ids))
        if len(self.names) != len(self.source_ids):
            raise DataError(
                f"every class needs one name and one id, and {len(self.names)} names came with "
                f"{len(self.source_ids)} ids: complete the list of classes."
            )
        if not all(isinstance(name, str) and name.strip() for name in self.names):
            raise DataError(
                f"a class needs a name that is text, and {list(self.names)[:_SHOWN]} came: name it."
            )
        if strange := [n for n in self.names if _CONTROLS & set(map(unicodedata.category, n))]:
            raise DataError(
                "a class needs a name without line breaks and control characters, and "
                f"{strange[0][:40]!r} came: rename it."
            )
        if not all(map(_is_id, self.source_ids)):
            raise DataError(
                "a class's id must be a whole number from 0 to 2^63 - 1, and "
                f"{list(self.source_ids)[:_SHOWN]} came: number the classes."
            )
        for what, values in (("name", self.names), ("id", self.source_ids)):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise DataError(
                    f"every class needs its own {what}, and {twice[0]!r} comes twice: "
                    "rename one of them, or merge the two classes."
                )
        labels = {source_id: label for label, source_id in enumerate(self.source_ids)}
        object.__setattr__(self, "_labels", labels)

    def __len__(self) -> int:
        return len(self.names)

    # -- makers and JSON ---------------------------------------------------------------------

    @classmethod
    def from_names(cls, names: Sequence[str], *, from_objects: bool = False) -> Self:
        """Number the classes from 1 on, as COCO files do."""
        ids = tuple(range(1, len(names) + 1))
        return cls(tuple(names), ids, own_ids=False, from_objects=from_objects)

    @classmethod
    def from_coco(cls, categories: Iterable[Mapping[str, Any]]) -> Self:
        """Read COCO's `categories`; labels follow the order of their ids.

        Names that are numbers, which some programs write, become text.

        Raises:
            DataError: A category has no `id` or no `name`, or see `ClassMap`.
        """
        pairs = []
        for category in categories:
            if not isinstance(category, Mapping) or not {"id", "name"} <= category.keys():
                raise DataError(
                    "a category must have an 'id' and a 'name', and "
                    f"{str(category)[:80]} came: complete the file's list of categories."
                )
            pairs.append((category["id"], _text(category["name"])))
        table = cls(tuple(name for _, name in pairs), tuple(i for i, _ in pairs))
        order = sorted(range(len(table)), key=table.source_ids.__getitem__)
        return cls(tuple(table.names[i] for i in order), tuple(table.source_ids[i] for i in order))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            DataError: It lacks `names` or `source_ids`, or see `ClassMap`.
        """
        if not all(isinstance(value.get(key), list) for key in ("names", "source_ids")):
            raise DataError(
                "a class table must have the lists 'names' and 'source_ids', and "
                f"{str(dict(value))[:80]} came: write it with `ClassMap.to_json`."
            )
        return cls(tuple(value["names"]), tuple(value["source_ids"]))

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"names": list(self.names), "source_ids": list(self.source_ids)}

    # -- looking up --------------------------------------------------------------------------

    def label_of(self, source_id: int) -> int:
        """Return the label of the source's id.

        Raises:
            DataError: No class has this id.
        """
        label = self._labels.get(source_id)
        if label is None:
            raise DataError(
                f"no class has the id {source_id}, and the known ones are "
                f"{_list(self.source_ids)}: add the class, or correct the annotation."
            )
        return label

    def source_id(self, label: int) -> int:
        """Return the source's id of a label."""
        return self.source_ids[label]

    def name(self, label: int) -> str:
        """Return the name of a label."""
        return self.names[label]

    def colour(self, label: int) -> tuple[int, int, int]:
        """Return the red, green and blue in which a label is drawn, always the same."""
        return colour(label)

    def match(self, other: "ClassMap") -> npt.NDArray[np.int64]:
        """Return our label for each label of `other`, found by name.

        Args:
            other: The classes of a data set or model to be used with this one. It may have fewer
                classes and another order.

        Returns:
            ``(len(other),)`` labels: ``ours.match(theirs)[their_label]`` is our label.

        Raises:
            ClassMismatch: A class of `other` is none of ours.
        """
        ours = {name: label for label, name in enumerate(self.names)}
        missing = [name for name in other.names if name not in ours]
        if missing:
            raise ClassMismatch(
                f"classes are matched by name, and {_list(missing)} came without a partner: the "
                f"data set or model to be matched has the classes {_list(other.names)}, the other "
                f"side {_list(self.names)}: rename the classes of one side, leave out what the "
                "other does not know, or choose data and model that belong together."
            )
        return np.array([ours[name] for name in other.names], dtype=np.int64)


def colour(index: int) -> tuple[int, int, int]:
    """Return the red, green and blue number `index` of an endless palette.

    Neighbours differ in hue by the golden angle and in lightness by a cycle of three steps, so that
    they stay apart for colour-blind eyes and in print. The space is Oklab (Björn Ottosson, 2020,
    https://bottosson.github.io/posts/oklab), in which equal distances look about equal.
    """
    lightness, chroma = _SHADES[index % len(_SHADES)]
    hue = np.deg2rad(_FIRST_HUE + _GOLDEN_ANGLE * index)
    oklab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    linear = np.clip(_LMS_TO_RGB @ (_OKLAB_TO_LMS @ oklab) ** 3, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * srgb).astype(int).tolist()
    return red, green, blue


def _text(name: Any) -> Any:  # noqa: ANN401 - a stranger's JSON
    """Return a number as text, anything else as it is."""
    is_number = isinstance(name, int | float) and not isinstance(name, bool)
    return str(name) if is_number and abs(name) < ID_LIMIT else name


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < ID_LIMIT


def _list(values: Sequence[object]) -> str:
    texts = map(str, values[:_SHOWN])
    shown = ", ".join(t if len(t) <= _LONGEST else f"{t[:_LONGEST]}..." for t in texts)
    return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN} more"
