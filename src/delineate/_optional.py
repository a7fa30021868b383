"""Import an optional dependency, or say in one sentence how to install it."""

import importlib
from types import ModuleType

from delineate.errors import MissingExtra


def need(module: str, *, extra: str) -> ModuleType:
    """Import and return `module`, which comes with the optional extra `extra`.

    Args:
        module: Dotted module name, for example ``torch.utils.tensorboard``.
        extra: Name of the extra in ``pip install delineate[extra]``.

    Raises:
        MissingExtra: The module, or something it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{module} is needed here and could not be imported ({error}): "
            f"install it with `pip install 'delineate[{extra}]'`."
        ) from error
