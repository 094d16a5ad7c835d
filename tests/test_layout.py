"""Imports go one way: each part of the package may import what stands above it."""

import ast
from pathlib import Path

import kerasunroll

ORDER = [
    *("errors", "units", "cache", "settings", "tasks", "data", "layers", "models", "inspection", "figures"),
    *("callbacks", "training", "measurement", "advice", "report", "cli"),
]
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
