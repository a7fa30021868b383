"""Every fault that the tests plant, as what the doctor finds it, and whether a repair removes it.

    python benchmarks/doctor_faults.py            # a table in Markdown, half a minute

The faults are those of tests/quality/faults.py, planted one at a time into drawn scenes in which
nothing is found.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "quality"))

from faults import FAULTS, Data, Fault, Where, clean_set, linked_copy

from delineate.data.formats import open_splits
from delineate.quality.checks import examine
from delineate.quality.findings import Finding
from delineate.quality.repair import repair


def examined(folder: Path, *, quick: bool = False) -> list[Finding]:
    """Return what is found in a folder."""
    return examine(open_splits(folder, on_error="report"), quick=quick)


def row(name: str, fault: Fault, clean: Path, folder: Path) -> str:
    """Plant one fault and return its row."""
    where = fault.plant(Data(linked_copy(clean, folder / "data")))
    found = [f for f in examined(folder / "data") if f.kind == fault.kind]
    right = [f for f in found if is_at(f, where)]
    quick = any(f.kind == fault.kind for f in examined(folder / "data", quick=True))
    mended = "-"
    if fault.mended:
        repair(folder / "data", folder / "mended", version="0")
        left = [f for f in examined(folder / "mended") if f.kind == fault.kind]
        mended = "yes" if not left else "no"
    severity = found[0].severity if found else "-"
    cells = (name, f"`{fault.kind}`" if found else "not found", severity)
    return " | ".join((*cells, yes(bool(right)), yes(quick), mended))


def is_at(finding: Finding, where: Where) -> bool:
    """Tell whether a finding names the very place of the fault."""
    place = finding.place
    return (
        place.split == where.split
        and place.image_id == where.image_id
        and (not where.ids or set(where.ids) == set(place.ids))
    )


def yes(value: bool) -> str:
    """Return it as a word."""
    return "yes" if value else "no"


def main() -> None:
    """Print the table, and how long it took."""
    start = time.perf_counter()
    print("| fault | found as | severity | place right | quick | gone with --fix |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean = clean_set(folder / "clean")
        alarms = len(examined(clean))
        for number, (fault_name, fault) in enumerate(FAULTS.items()):
            (folder / str(number)).mkdir()
            print(f"| {row(fault_name, fault, clean, folder / str(number))} |")
    seconds = time.perf_counter() - start
    print(f"\n{len(FAULTS)} faults; {alarms} false alarms in the clean data; {seconds:.0f} seconds")


if __name__ == "__main__":
    main()
