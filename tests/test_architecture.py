"""The direction of imports, and that no file grows too long to be read."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mmcgan", "data_prep", "eval")
ENTRY_POINTS = {f"mmcgan.{name}" for name in ("__main__", "tagging", "prepare", "train")}
ENTRY_POINTS |= {"mmcgan.evaluate", "mmcgan.export", "mmcgan.web.__main__"}
ENTRY_POINTS |= {f"eval.{name}.__main__" for name in ("digits", "benchmark", "benchmark.stages")}
# The rooms of mmcgan: each imports its own level and those below it, none above. What answers
# knows nothing of what learns.
LEVELS = {
    "mmcgan": 0,
    "mmcgan.inference": 1,
    "mmcgan.metadata": 2,
    "mmcgan.folders": 3,
    "mmcgan.training": 4,
    "mmcgan.web": 5,
}
# Of inference these three need torch: they make a backbone run that was not kept in a form that
# runs without it, and are imported then alone.
NEED_TORCH = {f"mmcgan.inference.photos.{name}" for name in ("pooling", "runtimes", "sources")}
SERVER = "mmcgan.web"  # no other module needs it, nor what it is built with
MAX_LINES = 400


def modules(root: Path) -> dict[str, ast.Module]:
    """The parsed modules of the three packages under `root`, by name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(root: Path, at_import_only: bool = False) -> dict[str, set[str]]:
    """Which modules of the packages each module imports.

    With `at_import_only`, those that are loaded with it: no import inside a function or for the
    type checker alone.
    """
    trees = modules(root)
    return {
        name: {
            target
            for node in import_nodes(tree, at_import_only)
            for target in targets(node, trees.keys())
        }
        - {name}
        for name, tree in trees.items()
    }


def import_nodes(node: ast.AST, at_import_only: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not (at_import_only and is_left_out(child)):
            yield from import_nodes(child, at_import_only)


def is_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def targets(node: ast.Import | ast.ImportFrom, known: set[str]) -> set[str]:
    """The modules that an import names: `from a import b` is a.b where that is a module."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    assert node.level == 0, f"a relative import of {node.module}"
    named = {f"{node.module}.{alias.name}" for alias in node.names}
    return (named & known) | ({str(node.module)} & known if named - known else set())


def package(name: str) -> str:
    return name.split(".")[0]


def wrong_directions(graph: dict[str, set[str]]) -> list[str]:
    return [
        f"{name} imports {target}"
        for name, found in sorted(graph.items())
        for target in sorted(found)
        if not is_allowed(name, target)
    ]


def is_allowed(name: str, target: str) -> bool:
    if is_server(target) and not is_server(name):
        return False
    if name == "mmcgan.train" and package(target) == "eval":
        return False
    if name in ENTRY_POINTS:
        return True
    if target in ENTRY_POINTS:
        return False
    if package(name) == "mmcgan":
        is_api = name == "mmcgan" and level(target) <= level("mmcgan.inference")
        return package(target) == "mmcgan" and (is_api or level(target) <= level(name))
    reads_raw_data = name.startswith(("eval.benchmark.", "eval.digits.mnist"))
    reads_raw_data = reads_raw_data and package(target) == "data_prep"
    return package(target) in (package(name), "mmcgan") or reads_raw_data


def level(name: str) -> int:
    """The level of the innermost room that a module of mmcgan is in."""
    return max(LEVELS[room] for room in LEVELS if f"{name}.".startswith(f"{room}."))


def is_server(name: str) -> bool:
    return name == SERVER or name.startswith(f"{SERVER}.")


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_packages_are_there():
    names = modules(ROOT).keys()
    assert {
        "mmcgan",
        "mmcgan.files",
        "data_prep.pipeline",
        "eval.evaluation",
    } <= names
    assert {"mmcgan.files", "data_prep.config"} <= imports(ROOT)["data_prep.pipeline"]


def test_imports_go_in_one_direction():
    assert wrong_directions(imports(ROOT)) == []


def test_imports_have_no_circle():
    assert circle(imports(ROOT, at_import_only=True)) == []


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        (
            "mmcgan/files.py",
            "from data_prep import photos",
            "mmcgan.files imports data_prep",
        ),
        (
            "mmcgan/files.py",
            "def f():\n    import eval.metrics",
            "mmcgan.files imports eval",
        ),
        (
            "data_prep/photos.py",
            "from mmcgan import train",
            "data_prep.photos imports mmcgan.train",
        ),
        ("eval/metrics.py", "from data_prep.photos import x", "eval.metrics imports data_prep"),
        (
            "mmcgan/files.py",
            "import mmcgan.web.app",
            "mmcgan.files imports mmcgan.web.app",
        ),
        ("mmcgan/train.py", "from mmcgan.web import app", "mmcgan.train imports mmcgan.web.app"),
        ("mmcgan/web/app.py", "import eval.metrics", "mmcgan.web.app imports eval"),
        ("mmcgan/web/app.py", "import mmcgan.train", "mmcgan.web.app imports mmcgan.train"),
        ("mmcgan/web/app.py", "import mmcgan.files", None),
        ("mmcgan/train.py", "import eval.metrics", "mmcgan.train imports eval"),
        ("mmcgan/evaluate.py", "import eval.metrics, data_prep.photos", None),
        (
            "mmcgan/inference/model.py",
            "from mmcgan.training.config import x",
            "mmcgan.inference.model imports mmcgan.training.config",
        ),
        (
            "mmcgan/inference/model.py",
            "def f():\n    import mmcgan.folders",
            "mmcgan.inference.model imports mmcgan.folders",
        ),
        ("mmcgan/files.py", "import mmcgan.inference", "mmcgan.files imports mmcgan.inference"),
        ("mmcgan/training/config.py", "import mmcgan.inference.model", None),
        ("mmcgan/__init__.py", "import mmcgan.inference.model", None),
        ("mmcgan/__init__.py", "import mmcgan.training.config", "mmcgan imports mmcgan.training"),
        ("data_prep/photos.py", "from mmcgan.files import x", None),
    ],
)
def test_wrong_directions_would_be_noticed(tmp_path, name, text, wrong):
    put(tmp_path, name, text)
    found = wrong_directions(imports(tmp_path))
    assert [message.startswith(wrong) for message in found] == ([True] if wrong else [])


@pytest.mark.parametrize(
    ("text", "is_circle"),
    [
        ("from mmcgan.train import x", True),
        ("from mmcgan import train", True),
        ("try:\n    import mmcgan.train\nexcept ImportError:\n    pass", True),
        ("if TYPE_CHECKING:\n    import mmcgan.train", False),
        ("def f():\n    import mmcgan.train", False),
    ],
)
def test_circles_would_be_noticed(tmp_path, text, is_circle):
    put(tmp_path, "mmcgan/train.py", "import mmcgan.files")
    put(tmp_path, "mmcgan/files.py", text)
    assert bool(circle(imports(tmp_path, at_import_only=True))) == is_circle


ROOMS = (
    *(f"mmcgan/{name}" for name in ("__init__", "train", "evaluate", "files")),
    *(f"mmcgan/{room}/__init__" for room in ("folders", "inference", "training", "web")),
    *("mmcgan/inference/model", "mmcgan/training/config", "mmcgan/web/app"),
    *("data_prep/__init__", "data_prep/photos", "eval/__init__", "eval/metrics"),
)


def put(root: Path, name: str, text: str) -> None:
    """Write one module into a small copy of the house."""
    for room in ROOMS:
        path = root / f"{room}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / name).write_text(text)


@pytest.mark.parametrize(
    ("imports", "unwanted"),
    [
        ("mmcgan; mmcgan.tag, mmcgan.load, mmcgan.RunError", {"torch", "faiss", "numpy"}),
        (
            "mmcgan.tagging, mmcgan.inference.tagger, mmcgan.folders.photo_library",
            {"torch", "scipy", "pandas", "matplotlib"},
        ),
    ],
    ids=["mmcgan", "what tags"],
)
def test_importing_does_not_load_what_takes_long(imports, unwanted):
    script = f"import sys, {imports}; print(sorted({unwanted} & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_what_answers_imports_no_torch():
    rooms = ("mmcgan.inference", "mmcgan.metadata", "mmcgan.folders")
    answering = {
        name: tree
        for name, tree in modules(ROOT).items()
        if f"{name}.".startswith(tuple(f"{room}." for room in rooms))
    }
    loading = {
        name
        for name, tree in answering.items()
        for node in import_nodes(tree, at_import_only=True)
        if "torch" in ast.unparse(node).replace(".", " ").split()
    }
    assert loading == NEED_TORCH
    graph = imports(ROOT, at_import_only=True)
    assert [name for name in answering.keys() - NEED_TORCH if graph[name] & NEED_TORCH] == []


def test_files_can_be_read_in_one_sitting():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}
