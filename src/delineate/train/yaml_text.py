"""YAML for options: 1e-4 is a number, a key stands once, a list stands on one line."""

import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

from delineate.errors import ConfigError

_NO_VALUE = (ValueError, LookupError, AttributeError)  # of 2020-13-45, !!bool 7, !!timestamp 7


def read(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return the plain values that a text stands for.

    Raises:
        ConfigError: It is not YAML, names a key twice, or has a value that cannot be.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # builds plain values only
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"expected YAML, but in line {line}: {error.problem}.") from None
    except RecursionError:
        raise ConfigError("expected YAML, but its brackets are nested too deeply.") from None
    except ConfigError:
        raise
    except (yaml.YAMLError, *_NO_VALUE) as error:
        raise ConfigError(f"expected YAML, but {' '.join(str(error).split())}.") from None


def write(values: Mapping[str, Any]) -> str:
    """Return plain values as text, keys in their order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"each option should be named once, but {key} comes twice.")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


class _Dumper(yaml.SafeDumper):
    def one_line(self, values: list[Any]) -> yaml.SequenceNode:
        return self.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(list, _Dumper.one_line)
