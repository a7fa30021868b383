"""How the source is cut: files, lines, long functions, docstrings. Takes no arguments."""

import ast
import statistics
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "delineate"
LONG = 80


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function and method of a file."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def public(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the public functions, and the public methods of public classes."""
    bodies = [tree.body]
    bodies += [n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    found = [n for body in bodies for n in body]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [n for n in found if isinstance(n, kinds) and not n.name.startswith("_")]


def main() -> None:
    """Print the statistics."""
    paths = [p for p in sorted(SOURCE.rglob("*.py")) if p.name != "__init__.py"]
    lines = [len(p.read_text().splitlines()) for p in paths]
    trees = [ast.parse(p.read_text()) for p in paths]
    lengths = [f.end_lineno - f.lineno + 1 for tree in trees for f in functions(tree)]
    names = [f for tree in trees for f in public(tree)]
    documented = sum(ast.get_docstring(f) is not None for f in names)
    print(f"files                      {len(paths)} (without {SOURCE.name}'s __init__.py files)")
    print(f"lines                      {sum(lines)}")
    print(f"lines a file, median       {statistics.median(lines):.0f}")
    print(f"lines a file, 90 %         {statistics.quantiles(lines, n=10)[-1]:.0f}")
    print(f"lines a file, most         {max(lines)}")
    print(f"functions                  {len(lengths)}")
    print(f"functions over {LONG} lines   {sum(n > LONG for n in lengths)}")
    print(f"public functions           {len(names)}")
    print(f"of these with a docstring  {documented}")


if __name__ == "__main__":
    main()
