"""Whether the tests notice a changed reader: `python -m tests.mutants [MODULE ...]`.

Each mutant is a module of `gateway.inspection` with one small change: a comparison, an operator, a
number, a refusal that is left out. It exists in memory alone, in a child process that runs the
tests of that module. A mutant that passes them survives: its line is printed, and docs/mutants.md
explains it. Ends with 1 if fewer than nine of ten are killed.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from itertools import chain
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import hypothesis
import numpy as np  # noqa: F401 - imported here once, for all children
import pytest
import trimesh  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "scans.stl": ("stl_left_out", "stl"),
    "scans.ascii_stl": ("stl_left_out", "stl"),
    "scans.decimals": ("decimals",),
    **dict.fromkeys(("scans.ply_header", "scans.ply_body", "scans.ply"), ("ply",)),
    "scans.polygons": ("ply", "obj"),
    "scans.obj": ("obj",),
    "scans.canonical": ("stl_left_out", "ply"),
    **dict.fromkeys(("photos.jpeg", "photos.png", "photos.exif"), ("image", "image_texts")),
}
UNCHANGED = "0: nothing"
AT_A_TIME, SECONDS, ENOUGH = 2, 120, 0.9
PAIRS = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)),
    (ast.In, ast.NotIn),  # codespell:ignore notin
    *((ast.Is, ast.IsNot), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div)),
    *((ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift), (ast.Not, ast.UAdd)),
)
SWAPS = dict(PAIRS) | {other: one for one, other in PAIRS}


def mutants(tree: ast.Module) -> Iterator[tuple[str, CodeType]]:
    """Every mutant: the line and what was changed on it, and its code."""
    unseen = {
        id(part)
        for node in ast.walk(tree)
        for field in ("annotation", "returns")
        if isinstance(hint := getattr(node, field, None), ast.AST)
        for part in ast.walk(hint)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        for holder, key, new in _changes(node):
            old = holder[key]
            holder[key] = new
            name = f"{getattr(node, 'lineno', 0)}: {_show(old)} -> {_show(new)}"
            yield name, compile(ast.fix_missing_locations(tree), "mutant", "exec")
            holder[key] = old


def _changes(node: ast.AST) -> Iterator[tuple[Any, Any, Any]]:
    """What can be changed in a node: in which container, at which key, to what."""
    held = vars(node)
    operator = type(held.get("op"))
    if operator in SWAPS:
        yield held, "op", SWAPS[operator]()
    for at, one in enumerate(held.get("ops", ())):
        if type(one) in SWAPS:
            yield held["ops"], at, SWAPS[type(one)]()
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield held, "value", not node.value if isinstance(node.value, bool) else node.value + 1
    for at, statement in enumerate(held.get("body", ()) if isinstance(node, ast.stmt) else ()):
        if isinstance(statement, ast.Raise):
            yield held["body"], at, ast.copy_location(ast.Pass(), statement)


def _show(part: object) -> str:
    return type(part).__name__ if isinstance(part, ast.AST) else repr(part)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Puts a mutant in the place of its module."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        found = fullname == self.name
        return importlib.util.spec_from_loader(fullname, self) if found else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, vars(module))  # noqa: S102 - that is what it is for


def run(name: str, code: CodeType, tests: Sequence[str]) -> int:
    """Run the tests over a mutant in a child; its process number."""
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, _Finder(f"gateway.inspection.{name}", code))
    files = [str(ROOT / f"tests/gateway/inspection/test_{one}.py") for one in tests]
    options = ["-x", "-q", "--noconftest", "-n", "0", "-p", "no:cacheprovider"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis came before it
    os._exit(int(pytest.main([*options, *files])) != 0)


def survivors(name: str) -> tuple[int, list[str]]:
    """How many mutants a module has, and which of them pass the tests."""
    source = (ROOT / f"gateway/inspection/{name.replace('.', '/')}.py").read_text("utf-8")
    running: dict[int, str] = {}
    total, alive = 0, []
    whole = UNCHANGED, compile(source, name, "exec")
    for change, code in chain([whole], mutants(ast.parse(source))):
        running[run(name, code, TESTS[name])] = change
        total += 1
        while len(running) == AT_A_TIME:
            alive += _reap(running)
    while running:
        alive += _reap(running)
    if UNCHANGED not in alive:
        sys.exit(f"{name}: its tests fail as it is")
    alive.remove(UNCHANGED)
    return total - 1, sorted(alive, key=lambda one: int(one.split(":")[0]))


def _reap(running: dict[int, str]) -> list[str]:
    child, status = os.wait()
    change = running.pop(child)
    return [change] if status == 0 else []


def main() -> int:
    """Try every mutant of these modules, or of all."""
    hypothesis.settings.register_profile(
        "mutants", max_examples=25, derandomize=True, database=None
    )
    hypothesis.settings.load_profile("mutants")
    total = killed = 0
    for name in sys.argv[1:] or TESTS:
        begun = time.monotonic()
        count, alive = survivors(name)
        total, killed = total + count, killed + count - len(alive)
        lines = [
            f"{name}: {count - len(alive)} of {count} killed, {time.monotonic() - begun:.0f} s"
        ]
        lines += [f"  gateway.inspection.{name}:{change}" for change in alive]
        print("\n".join(lines), flush=True)  # noqa: T201 - a command
    return int(killed < ENOUGH * total)


if __name__ == "__main__":
    sys.exit(main())
