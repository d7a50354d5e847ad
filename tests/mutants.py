"""Whether the tests notice a changed reader: `python -m tests.mutants [MODULE ...]`.

Each mutant is a module of `gateway.inspection` with one small change: a comparison, an operator, a
number, a refusal that is left out. It exists in memory alone. The tests of the module are imported
and collected once; each mutant gets a copy of that process, in which the module and those that
import it are executed anew, and the tests are run, those that found the last mutants first. A
mutant that passes them survives: its line is printed, and docs/mutants.md explains it. Ends with 1
if fewer than nine of ten are killed.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
STL = ("stl_left_out", "stl")
TESTS = {  # of each module; the shortest first
    "scans.stl": STL,
    "scans.ascii_stl": ("ascii_lines", *STL),
    "scans.decimals": ("decimals",),
    **dict.fromkeys(("scans.ply_header", "scans.ply_body", "scans.ply"), ("scan_bounds", "ply")),
    "scans.obj": ("scan_bounds", "obj"),
    "scans.polygons": ("scan_bounds", "ply", "obj"),
    "scans.canonical": (*STL, "ply"),
    **dict.fromkeys(("scans.read", "scans.leftout"), ("scan_bounds", *STL, "ply", "obj")),
    "photos.jpeg": ("jpeg", "image_texts"),
    "photos.png": ("png", "image_texts"),
    "photos.exif": ("exif", "image_texts"),
    "photos.photo": ("photo",),
    "photos.tail": ("image_tail",),
    "photos.colour": ("colour",),
    "photos.bmff": ("bmff", "image_boxes"),
    "photos.heic": ("heic",),
    "texts": ("image_texts",),
}
# A worker would import the module as it is; the others take long, and find little.
LEFT_OUT = "not confined and not damaged and not endless and not judge and not 2048"
UNCHANGED = "0: nothing"
AT_A_TIME, ENOUGH = 2, 0.9
SECONDS, CPU_SECONDS, MEMORY_BYTES = 120, 30, 4 << 30  # who takes more is killed
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
        for field in ("annotation", "returns", "decorator_list")
        for hint in _as_list(getattr(node, field, None))
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


def _as_list(part: ast.AST | list[ast.AST] | None) -> list[ast.AST]:
    return part if isinstance(part, list) else [part] if part else []


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


def warm_up() -> None:
    """Set the ground for all modules."""
    os.environ["KLUIS_CORPUS"] = os.devnull  # what the tests prove, they prove without it
    hypothesis.settings.register_profile(
        "mutants",
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),  # a busy machine kills no mutant
    )
    hypothesis.settings.load_profile("mutants")


class Trial:
    """The mutants of one module, `AT_A_TIME` at a time; a plugin of pytest."""

    def __init__(self, name: str) -> None:
        self.name = f"gateway.inspection.{name}"
        self.files = [str(ROOT / f"tests/gateway/inspection/test_{one}.py") for one in TESTS[name]]
        self.source = (ROOT / f"{self.name.replace('.', '/')}.py").read_text("utf-8")
        self.total = 0
        self.alive: list[str] = []
        self.killers: list[str] = []
        self.running: dict[int, str] = {}
        self.heard, self.told = os.pipe()
        os.set_blocking(self.heard, False)

    def run(self) -> None:
        """Collect the tests, and try all mutants instead of running them once."""
        options = ["-o", "addopts=", "--noconftest", "-p", "no:cacheprovider", "-p", "no:terminal"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis came before it
        pytest.main([*options, "-k", LEFT_OUT, *self.files], [self])
        if self.alive.count(UNCHANGED) < 2:
            sys.exit(f"{self.name}: its tests fail as it is")
        self.alive = [one for one in self.alive if one != UNCHANGED]
        self.alive.sort(key=lambda one: int(one.split(":")[0]))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant, and before and after them the module as it is."""
        whole = UNCHANGED, compile(self.source, self.name, "exec")
        for change, code in chain([whole], mutants(ast.parse(self.source)), [whole]):
            self.total += change != UNCHANGED
            self.running[self._fork(session, code)] = change
            while len(self.running) == AT_A_TIME:
                self._reap()
        while self.running:
            self._reap()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In a child: the first failure is enough."""
        if report.failed:
            os.write(self.told, report.nodeid.encode() + b"\n")
            os._exit(1)

    def _fork(self, session: pytest.Session, code: CodeType) -> int:
        child = os.fork()
        if child:
            return child
        try:
            signal.alarm(SECONDS)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            put_in_place(self.name, code)
            known = {name: at for at, name in enumerate(self.killers)}
            for item in sorted(session.items, key=lambda one: known.get(one.nodeid, len(known))):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        except BaseException:  # noqa: BLE001 - whatever it is, the mutant did it
            os._exit(1)
        os._exit(0)

    def _reap(self) -> None:
        child, status = os.wait()
        change = self.running.pop(child)
        if status == 0:
            self.alive.append(change)
        for killer in _hear(self.heard):
            if killer in self.killers:
                self.killers.remove(killer)
            self.killers.insert(0, killer)


def _hear(pipe: int) -> list[str]:
    try:
        return os.read(pipe, 1 << 16).decode().splitlines()
    except BlockingIOError:
        return []


def put_in_place(name: str, code: CodeType) -> None:
    """Execute the mutant in its module, then whatever was imported after it, as it is.

    What the tests have imported by name is replaced there too; classes stay the same, with new
    methods, because the tests hold some of their instances.
    """
    loaded = [one for one in sys.modules if one.startswith("gateway.inspection.")]
    new: dict[FunctionType, object] = {}
    for one in loaded[loaded.index(name) :]:
        module = vars(sys.modules[one])
        before = [item for item in module.items() if getattr(item[1], "__module__", "") == one]
        exec(code if one == name else _code(sys.modules[one]), module)  # noqa: S102 - its purpose
        for key, value in before:
            if isinstance(value, type):
                _renew(value, module[key])
                module[key] = value
            elif isinstance(value, FunctionType):
                new[value] = module[key]
    for one, other in list(sys.modules.items()):
        if one.startswith("tests."):
            for key, value in list(vars(other).items()):
                if isinstance(value, FunctionType) and value in new:
                    setattr(other, key, new[value])


def _renew(old: type, new: type) -> None:
    for key, value in vars(new).items():
        if isinstance(value, FunctionType | property | classmethod | staticmethod):
            setattr(old, key, value)
        if isinstance(value, FunctionType) and "__class__" in value.__code__.co_freevars:
            cell = value.__code__.co_freevars.index("__class__")  # what `super()` refers to
            (value.__closure__ or ())[cell].cell_contents = old


def _code(module: ModuleType) -> CodeType:
    code = module.__spec__ and module.__spec__.loader.get_code(module.__name__)  # type: ignore[union-attr]
    return cast("CodeType", code)


def main() -> int:
    """Try every mutant of these modules, or of all."""
    warm_up()
    total = killed = 0
    for name in sys.argv[1:] or TESTS:
        begun, trial = time.monotonic(), Trial(name)
        trial.run()
        total, killed = total + trial.total, killed + trial.total - len(trial.alive)
        seconds = time.monotonic() - begun
        lines = [
            f"{name}: {trial.total - len(trial.alive)} of {trial.total} killed, {seconds:.0f} s"
        ]
        lines += [f"  {trial.name}:{change}" for change in trial.alive]
        print("\n".join(lines), flush=True)  # noqa: T201 - a command
    return int(killed < ENOUGH * total)


if __name__ == "__main__":
    sys.exit(main())
