"""What the configurations of all families can do: be written as JSON, read back, and varied."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from delineate.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Base of the frozen dataclasses of plain values from which networks are built."""

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """Build from `to_json`'s result, or from part of it.

        Raises:
            ConfigError: There is a key that is no option.
        """
        return cls().replace(**{key: _tuples(value) for key, value in values.items()})

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values.

        Raises:
            ConfigError: A name is no option.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(
                    f"expected an option of {type(self).__name__}, got {name!r}: "
                    f"{nearest(name, known)}"
                )
        return dataclasses.replace(self, **changes)


def _tuples(value: object) -> object:
    """Turn the lists of JSON into tuples, at any depth."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
