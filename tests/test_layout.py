"""Imports go one way: each part of the package may import what stands above it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import kerasunroll

ORDER = [
    *("errors", "backend", "lazy", "units", "display", "files", "cache", "settings", "tasks", "compatibility", "data"),
    *("layers", "models", "inspection", "figures", "callbacks", "training", "measurement", "advice", "report"),
    *("tensorboard_plugin", "deployment", "api", "cli", "__main__"),
]
LONG = 300
PACKAGE = Path(kerasunroll.__file__).parent


def imported(tree: ast.AST) -> set[str]:
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("kerasunroll.")}


def test_every_part_has_its_place():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "__pycache__"} == set(ORDER)


def test_imports_go_one_way():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__":
            wrong += [
                f"{path.relative_to(PACKAGE)} imports {name}"
                for name in imported(ast.parse(path.read_text()))
                if ORDER.index(name) > ORDER.index(part)
            ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    """Imports inside functions count as well; only what is there for the types does not."""
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    graph = {
        name: {each for each in _modules_of(ast.parse(path.read_text()), modules) if each != name}
        for name, path in modules.items()
        if not name.endswith("__init__")
    }
    TopologicalSorter(graph).prepare()  # raises, and names the circle


def test_a_long_module_says_why_it_is_one():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        if text.count("\n") > LONG:
            assert "A long module: " in (ast.get_docstring(ast.parse(text)) or ""), path


def _modules_of(tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (name for name in names if name in modules)
        yield from _modules_of(node, modules)
