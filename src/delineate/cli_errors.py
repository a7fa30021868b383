"""What the option parser refuses, as one sentence."""

import re
from collections.abc import Sequence
from typing import Any

import typer

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Base of what the parser raises; some versions of Typer have click's own, and export none."""


_LONGEST = 60  # characters of a word that is echoed


def usage_sentence(error: Any, command: Any, words: Sequence[str]) -> str:  # noqa: ANN401
    """Say in one sentence what is wrong with the words of a command line, and what helps.

    Args:
        error: A `UsageError`. That of a group named alone has the group's help as its message.
        command: The command that `delineate` is.
        words: What follows ``delineate``.
    """
    path = ["delineate"]
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path.append(word)
    verb = " ".join(path)
    said = str(error.format_message()).strip()
    if said.startswith("Usage:"):
        return said
    return f"delineate: {_shortened(_told(error, said, command, verb), words)}"


def _told(error: Any, said: str, command: Any, verb: str) -> str:  # noqa: ANN401
    see = f"see `{verb} --help`."
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "MissingParameter":
        wanted = ", ".join(_name(each) for each in command.params if each.required)
        return f"`{verb}` expects {wanted}, got no {_name(parameter)}: {see}"
    if kind == "NoSuchOption":
        near = " or ".join(sorted(error.possibilities or ()))
        hint = f"did you mean {near}?" if near else see
        return f"`{verb}` has no option {error.option_name}: {hint}"
    if parameter is not None:
        why = _begun(error.message.removeprefix("Value error, "))
        return f"expected another value for {_name(parameter)}{_got(error)}: {why}; {see}"
    if said.endswith("?"):
        return _begun(said.replace(". Did you", ": did you"))
    few = re.sub(rf"(\(.{{{_LONGEST}}}).+\)$", r"\1...)", said.rstrip("."), flags=re.DOTALL)
    return f"{_begun(few)}: {see}"


def _shortened(sentence: str, words: Sequence[str]) -> str:
    """Return a sentence with the words that it echoes cut, and what cannot be printed escaped."""
    parts = {part for word in words for part in (word, *word.partition("="))}
    echoed = {form for part in parts for form in (part, repr(part)[1:-1]) if len(form) > _LONGEST}
    for form in sorted(echoed, key=len, reverse=True):
        sentence = sentence.replace(form, f"{form[:_LONGEST]}...")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)


def _begun(sentence: str) -> str:
    """Return a sentence as a part of another."""
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _name(parameter: Any) -> str:  # noqa: ANN401
    """Return what a user calls a parameter: ``--to``, or ``OUT``."""
    is_option = parameter.param_type_name == "option"
    return str(max(parameter.opts, key=len) if is_option else parameter.name.upper())


def _got(error: Any) -> str:  # noqa: ANN401
    """Return the value that was refused, where the parser keeps it."""
    errors = getattr(error.__cause__, "errors", None)
    return f", got {errors()[0]['input']!r}" if errors else ""
