"""`delineate data check DATA`: can the data be trusted, and a repaired copy where they cannot."""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate import __version__
from delineate._files import check_apart, check_free, write_whole, writing_folder
from delineate.core.page import generator
from delineate.data.bare_splits import bare_splits
from delineate.data.formats import open_splits
from delineate.data.sample import UNANNOTATED, Dataset
from delineate.errors import ConfigError, DataError, OutputError
from delineate.jobs.opening import Say, counted, plural
from delineate.quality.changes import NAME, Change, check_changes
from delineate.quality.checks import QUICK_KINDS, examine, wanted
from delineate.quality.findings import SEVERITIES, Finding, Place, worst_first
from delineate.quality.label_errors import KINDS as MODEL_KINDS
from delineate.quality.label_errors import STRANGE
from delineate.quality.repair import Repair, check_repairable, repair
from delineate.quality.report_html import KIND, write_doctor_report
from delineate.quality.report_text import report, total
from delineate.quality.shots import Predicted

Judge = Callable[[Mapping[str, Dataset]], tuple[list[Finding], Predicted]]
"""Finds labels that a model disagrees with, and returns these and what the model found."""

STOPS_TRAINING = (
    *("all_crowd", "transposed_masks", "normalised_coordinates", "percent_coordinates"),
    *("ids_off_by_one", "class_names_differ", "class_missing_in_train"),
)
"""Errors with which a training would be a waste of time, where they are certain. Without objects it
stops by itself."""

FINDINGS, REPORT = "findings.json", "report.html"

_OWN = {
    FINDINGS: rb'\A\[(\]\s*\Z|\s*\{\s*"kind": "\w+",\s*"severity": )',
    REPORT: re.escape(generator(KIND).encode()),
}
"""By what the files of an earlier report are known; only such files are replaced."""

MOSTLY = 0.5
"""Share of the validation's objects that cannot be learnt from which training is meaningless."""


_WARNINGS = 10  # lines told before a training


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check has found, and repaired.

    Attributes:
        splits: The data that were looked at.
        findings: Worst first.
        repaired: What was repaired; None: nothing was to be.
        left: What is found in the repaired copy, worst first.
    """

    splits: Mapping[str, Dataset]
    findings: Sequence[Finding]
    repaired: Repair | None = None
    left: Sequence[Finding] = ()

    def passes(self, *, strict: bool) -> bool:
        """Tell whether there is no error, and with `strict` no warning either.

        Where the data were repaired it is the copy that counts.
        """
        refused = SEVERITIES[: 1 + strict]
        standing = self.findings if self.repaired is None else self.left
        return not any(finding.severity in refused for finding in standing)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        result: dict[str, Any] = {
            "splits": {
                split: {"images": len(dataset), "left_out": len(dataset.problems)}
                for split, dataset in self.splits.items()
            },
            "counts": _counts(self.findings),
            "findings": [finding.to_json() for finding in self.findings],
        }
        if self.repaired is not None:
            result["repaired"] = {
                "out": str(self.repaired.out),
                "images": dict(self.repaired.images),
                "changes": len(self.repaired.changes),
                "left_out": _left_out(self.repaired.changes),
                "counts": _counts(self.left),
                "findings": [finding.to_json() for finding in self.left],
            }
        return result


def check(
    data: Path,
    *,
    fix: Path | None = None,
    out: Path | None = None,
    judge: Judge | None = None,
    images: Path | None = None,
    format: str | None = None,
    quick: bool = False,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    say: Say,
) -> Checked:
    """Check a data set.

    Args:
        data: A data folder or file, in any format.
        fix: Where a repaired copy goes, a folder that is new or empty; None: nothing is repaired.
        out: Folder for ``findings.json`` and ``report.html``, which is new or empty, or holds
            earlier ones; None: none are written.
        judge: Compares the labels with what a model sees; None: they are not.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the data's format; None: found out.
        quick: Look at no pixels and no masks.
        only: Kinds of findings that are wanted; none: all.
        ignore: Kinds that are not.
        say: Receives lines for the user.

    Raises:
        ConfigError: A kind or the format is unknown, no check that runs tells a kind of `only`, or
            kinds are chosen for a repair.
        DataError: The data cannot be read at all.
        OutputError: A place cannot be written, or holds something else.
    """
    if fix is not None and (only or ignore):
        raise ConfigError(
            "--fix mends all that is certain, of every kind: leave --only and --ignore out."
        )
    if out is not None:
        check_free(out, own=_OWN)
    _check_only(only, quick=quick, judged=judge is not None)
    if fix is not None:
        check_apart(data, fix)
        if out is not None and _overlap(fix.resolve(), out.resolve()):
            raise OutputError(
                f"{fix}: expected a place for the repaired copy beside that of the report, got one "
                f"with {out}: choose another place."
            )
    splits = open_splits(data, images=images, format=format, on_error="report")
    if fix is not None:
        check_repairable(data, splits)
    if fault := check_changes(data if data.is_dir() else data.parent):
        say(fault)
    options: dict[str, Any] = {"quick": quick, "only": only, "ignore": ignore, "counted": counted}
    told: list[Finding] = []
    predicted: Predicted = {}
    with contextlib.ExitStack() as stack:
        folder = out and stack.enter_context(writing_folder(out, own=_OWN))
        findings = _found(data, splits, options)
        if judge is not None and (shown := {s: data for s, data in splits.items() if len(data)}):
            told, predicted = judge(shown)
            kinds = wanted(only, ignore)
            for finding in told:
                if finding.kind == STRANGE and finding.kind not in kinds:
                    say(str(finding))
            told = [finding for finding in told if finding.kind in kinds]
            findings = worst_first([*findings, *told])
        if folder is not None:
            looked_at = _looked_at(splits) + (", quick checks alone" if quick else "")
            _write_report(folder, data, splits, findings, predicted, looked_at)
    if out is not None:
        say(f"report in {out / REPORT}")
    if fix is None:
        return Checked(splits=splits, findings=findings)
    repaired = repair(data, fix, images=images, format=format, version=__version__)
    copy = open_splits(repaired.out, format="coco", on_error="skip")
    left = worst_first([*examine(copy, **options), *told])  # no repair changes what a model says
    return Checked(splits=splits, findings=findings, repaired=repaired, left=left)


def _found(data: Path, splits: Mapping[str, Dataset], options: Mapping[str, Any]) -> list[Finding]:
    """Examine splits, and look for pictures of others that have none."""
    findings = examine(splits, **options)
    if UNANNOTATED not in wanted(options["only"], options["ignore"]):
        return findings
    bare = (
        Finding(
            kind=UNANNOTATED,
            severity="warning",
            place=Place(split=one.split),
            why=f"{one.folder}: {one.why}",
            fix=one.fix,
        )
        for one in bare_splits(data, splits)
    )
    return worst_first([*findings, *bare])


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _write_report(
    folder: Path,
    data: Path,
    splits: Mapping[str, Dataset],
    findings: Sequence[Finding],
    predicted: Predicted,
    looked_at: str,
) -> None:
    listed = json.dumps([finding.to_json() for finding in findings], indent=1)
    write_whole(folder / FINDINGS, listed.encode())
    write_doctor_report(
        folder / REPORT,
        findings,
        splits,
        {"data": str(data), "looked at": looked_at, "delineate": __version__},
        title=f"Check of {data.resolve().name}",
        predicted=predicted,
        counted=counted,
    )


def text(checked: Checked) -> str:
    """Return the result to read."""
    lines = [f"looked at {_looked_at(checked.splits)}", report(checked.findings)]
    if (repaired := checked.repaired) is not None:
        changes = plural(len(repaired.changes), "change")
        lines.append(f"wrote {repaired.out}: {changes}, listed in {NAME}")
        lines += _left_out_text(**_left_out(repaired.changes))
        kinds = Counter(finding.kind for finding in checked.left)
        left = ", ".join(f"{kind} ({count:,})" for kind, count in kinds.items())
        lines.append(f"left in it: {total(checked.left)}{f': {left}' if left else ''}")
    return "\n".join(lines)


def check_before_training(data: Path, splits: Mapping[str, Dataset], say: Say) -> None:
    """Run the quick checks; tell the worst, and stop where training is meaningless.

    Args:
        data: Where the splits come from, for the message.
        splits: "train" and perhaps "val".
        say: Receives lines for the user.

    Raises:
        DataError: An error of `STOPS_TRAINING` stands.
    """
    findings = examine(splits, quick=True)
    for finding in findings:
        if finding.severity == "error" and _stops(finding):
            raise DataError(
                f"{finding.place}: {finding.why}: {finding.fix}; `delineate data check {data}` "
                "tells more."
            )
    # Opening the data has told of pictures without annotations.
    told = [f for f in findings if f.severity != "note" and f.kind != UNANNOTATED]
    for finding in told[: _WARNINGS - 1]:
        say(f"{finding.severity}: {finding}")
    if told:
        say(f"{total(told)} in the data: `delineate data check {data}` tells more")


def _check_only(only: Sequence[str], *, quick: bool, judged: bool) -> None:
    """Make sure that each kind that is asked for can be found."""
    wanted(only, ())
    for kind in only:
        if kind in MODEL_KINDS:
            if not judged:
                raise ConfigError(f"{kind!r} is what a model tells of labels: name a --model.")
        elif quick and kind not in QUICK_KINDS:
            raise ConfigError(f"{kind!r} is told by no quick check: leave out --quick.")


def _looked_at(splits: Mapping[str, Dataset]) -> str:
    return ", ".join(f"{split} {plural(len(data), 'image')}" for split, data in splits.items())


def _left_out(changes: Sequence[Change]) -> dict[str, int]:
    """Count the images and annotations that a copy lacks, and those that went with an image."""
    images = [change for change in changes if change.left_out == "image"]
    with_images = sum(len(change.annotation_ids) for change in images)
    alone = sum(change.left_out == "annotation" for change in changes)
    return {
        "images": len(images),
        "annotations": with_images + alone,
        "annotations_with_images": with_images,
    }


def _left_out_text(images: int, annotations: int, annotations_with_images: int) -> list[str]:
    if not images:
        return [f"{plural(annotations, 'annotation')} left out"] if annotations else []
    if not annotations:
        return [f"{plural(images, 'image')} left out"]
    line = (
        f"{plural(annotations_with_images, 'annotation')} left out with {plural(images, 'image')}"
    )
    alone = annotations - annotations_with_images
    return [f"{line}, and {alone:,} alone: {annotations:,} in all" if alone else line]


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES}


def _stops(finding: Finding) -> bool:
    if finding.kind == "class_missing_in_train":
        return finding.score >= MOSTLY
    return finding.kind in STOPS_TRAINING and finding.score == 1
