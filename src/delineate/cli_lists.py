"""What `delineate data` lists: the formats of annotations, and the kinds of findings."""

from delineate.cli_parts import Json, show


def formats(as_json: Json = False) -> None:
    """List the formats of annotations, how their files lie, and which can be written."""
    from delineate.jobs.convert_data import format_rows, format_table

    rows = format_rows()
    show({"formats": rows}, as_json, format_table(rows))


def kinds(as_json: Json = False) -> None:
    """List the kinds of findings: how bad they may be, what they mean, what --fix does."""
    from delineate.jobs.kinds import kind_rows, kind_table

    rows = kind_rows()
    show({"kinds": rows}, as_json, kind_table(rows))
