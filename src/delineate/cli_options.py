"""Options that would have no effect are refused: who gives one expects something of it."""

import typer

from delineate.errors import ConfigError


def refuse(context: typer.Context, *names: str, why: str) -> None:
    """Make sure that options are not on the command line, whatever their value.

    Args:
        context: That of the verb.
        names: Parameters of the verb.
        why: How the sentence goes on that begins with "expected no --seed".

    Raises:
        ConfigError: Some are.
    """
    flags = [
        max(option.opts, key=len)
        for option in context.command.params
        if option.name in names and _is_given(context, option.name)
    ]
    if flags:
        raise ConfigError(f"expected no {' and '.join(flags)} {why}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
