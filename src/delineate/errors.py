"""Every error Delineate raises on purpose.

    DelineateError
    ├── InputError (ValueError)      the user's input is wrong: one sentence, exit code 2
    │   ├── DataError                a data set, an annotation, a mask
    │   │   └── ImageError           a file that should be an image
    │   ├── ClassMismatch            a model's classes are not the data's classes
    │   ├── ConfigError              an option, a recipe, a `--set` key
    │   ├── ModelError               an unknown model, a checkpoint that does not fit
    │   └── OutputError              a place that cannot be written
    ├── DownloadError                the network or the server failed, or is switched off
    ├── MissingExtra (ImportError)   an optional package is not installed
    ├── ReaderLost                   a process that reads images has ended
    └── TrainingDiverged             the loss is no longer a number

A message is one sentence that says what was expected, what came, and what to do next.
"""

import difflib
from collections.abc import Iterable


class DelineateError(Exception):
    """Base of all errors raised on purpose."""


class InputError(DelineateError, ValueError):
    """The user's input is wrong."""


class DataError(InputError):
    """A data set, an annotation or a mask is wrong."""


class ImageError(DataError):
    """A file or array that should be an image is none, or is too large."""


class ClassMismatch(InputError):
    """Two class tables that must agree by name do not."""


class ConfigError(InputError):
    """An option has an unknown name or a value of the wrong kind."""


class ModelError(InputError):
    """A model is unknown, or a checkpoint does not fit it."""


class OutputError(InputError):
    """A result cannot be written."""


class DownloadError(DelineateError):
    """A file could not be fetched, or what came is not what was promised."""


class MissingExtra(DelineateError, ImportError):
    """An optional dependency is not installed."""


class ReaderLost(DelineateError):
    """A process that reads images for the training has ended before its time."""


class TrainingDiverged(DelineateError):
    """The loss became infinite or not a number."""


def nearest(name: str, choices: Iterable[str], *, otherwise: str = "") -> str:
    """Return the end of a sentence about an unknown name: the nearest choices, or all of them.

    Args:
        name: What the user wrote.
        choices: What would have been accepted.
        otherwise: What to say instead of all of them, where there are many.
    """
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return otherwise or "choose one of " + ", ".join(known) + "."
