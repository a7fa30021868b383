"""The house rules, as a test: who may import whom, and which rooms stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "delineate"
COMMON = {"errors", "_optional", "_download", "_files"}
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "ops": set(),
    "data": {"core"},
    "evaluate": {"core"},
    "transforms": {"core", "data"},
    "quality": {"core", "data"},
    "models": {"core", "ops"},
    "weights": {"core", "models"},
    "train": {"core", "data", "transforms", "models", "weights", "evaluate"},
    "predict": {"core", "models", "weights"},
    "recipes": {"core", "data", "transforms", "models", "train"},
    "jobs": {
        *("core", "data", "transforms", "quality", "models", "weights"),
        *("evaluate", "train", "predict", "recipes", "__version__"),
    },
}
# On the roof: nobody imports them but one another.
FRONT = {"jobs", *(file.stem for file in PACKAGE.glob("cli*.py"))}
LONGEST = 80  # lines of a function
HEAVY = {
    "core": {"torch", "torchvision"},
    "evaluate": {"torch"},
    "data": {"torch"},
    "quality": {"torch"},
}
TORCH_FILES = {PACKAGE / "data" / "loader.py"}


def imports(path: Path) -> Iterator[tuple[list[str], int, bool]]:
    """Yield (dotted name, line, at the top of the file) of every import in a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split("."), node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write absolute imports"
            base = (node.module or "").split(".")
            for alias in node.names:
                name = [*base, alias.name] if len(base) == 1 else base
                yield name, node.lineno, id(node) in top


def modules() -> dict[str, Path]:
    return {
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts): p
        for p in sorted(PACKAGE.rglob("*.py"))
        if p.name != "__init__.py"
    }


def test_every_room_is_named_here() -> None:
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms == set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_flow_one_way(room: str) -> None:
    wrong = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for name, line, at_top in imports(path):
            where = f"{path}:{line} imports {'.'.join(name)}"
            if name[0] == "delineate" and (
                len(name) < 2 or name[1] not in ALLOWED[room] | COMMON | {room}
            ):
                wrong.append(f"{where}; {room}/ may import {sorted(ALLOWED[room])}")
            if name[0] == "delineate" and not at_top:
                wrong.append(f"{where} inside a function")
            if name[0] in HEAVY.get(room, ()) and path not in TORCH_FILES:
                wrong.append(f"{where}; {room}/ must stay light")
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_the_roof() -> None:
    wrong = [
        f"{path}:{line} imports {'.'.join(name)}"
        for dotted, path in modules().items()
        if dotted.split(".")[1] not in FRONT
        for name, line, _ in imports(path)
        if name[0] == "delineate" and len(name) > 1 and name[1] in FRONT
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
        if node.end_lineno - node.lineno >= LONGEST
    ]
    assert not long, "\n".join(long)


def test_there_are_no_import_cycles() -> None:
    files = modules()
    graph = {
        dotted: {
            candidate
            for name, _, at_top in imports(path)
            if at_top
            for candidate in (".".join(name), ".".join(name[:-1]))
            if candidate in files and candidate != dotted
        }
        for dotted, path in files.items()
    }
    state: dict[str, int] = {}

    def visit(node: str, trail: tuple[str, ...]) -> None:
        assert state.get(node) != 1, " -> ".join([*trail, node])
        if node not in state:
            state[node] = 1
            for target in sorted(graph[node]):
                visit(target, (*trail, node))
            state[node] = 2

    for node in sorted(graph):
        visit(node, ())


def test_rooms_hold_no_logic_in_their_init() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent == PACKAGE:
            continue
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, f"{path} must hold its docstring and nothing else"


@pytest.mark.parametrize("room", ["core", "evaluate", "data", "quality"])
def test_light_rooms_never_load_torch(room: str) -> None:
    names = [
        dotted
        for dotted, path in modules().items()
        if dotted.startswith(f"delineate.{room}.") and path not in TORCH_FILES
    ]
    code = (
        "import importlib, sys\n"
        f"[importlib.import_module(n) for n in {names!r}]\n"
        "sys.exit('torch was loaded' if 'torch' in sys.modules else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_forbidden_calls_stay_out() -> None:
    """No pickle (but one reader that builds arrays only), no eval, no unsafe load anywhere."""
    wrong = []
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                if path.name != "restricted_pickle.py" and {
                    "pickle",
                    "dill",
                    "joblib",
                    "marshal",
                } & {n.split(".")[0] for n in names}:
                    wrong.append(f"{path}:{node.lineno} imports a pickling module")
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in {"eval", "exec"}:
                wrong.append(f"{path}:{node.lineno} calls {called}")
            if called == "torch.load":
                keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if keywords.get("weights_only") != "True":
                    wrong.append(f"{path}:{node.lineno} calls torch.load without weights_only=True")
    assert not wrong, "\n".join(wrong)
