"""Which module may import which, and who alone may touch SQL and the environment."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("ingest", "dataset", "train", "serve")
HEAVY = {
    "torch", "transformers", "trl", "datasets", "peft", "accelerate", "tokenizers",
    "huggingface_hub", "fastapi", "starlette", "uvicorn", "openai", "httpx", "jinja2",
}  # fmt: skip
READS_ENVIRONMENT = {
    "ingest/settings.py",
    # hands a child process what training needs of the environment, no tokens and keys
    "train/launchers/local.py",
    # in a pod: what the launcher told it, before anything is installed there
    "train/launchers/pod_boot.py",
    "train/launchers/pod_supervisor.py",
    "train/launchers/pod_training.py",
    # what torchrun tells the processes it starts; one card for a process that is alone
    "train/distributed.py",
}


class Import(NamedTuple):
    """One import: where it stands, what it names, whether it runs when the module is imported."""

    module: str
    target: str
    at_import: bool


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
TREES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in FILES}


def targets(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module}: relative import"
        assert node.module is not None
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in TREES else node.module


def walk(node: ast.AST, module: str, at_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inside = False
        for target in targets(child, module):
            yield Import(module, target, at_import)
        yield from walk(child, module, inside)


IMPORTS = [each for module, tree in TREES.items() for each in walk(tree, module, at_import=True)]


def floor(module: str) -> str:
    return module.partition(".")[0]


def test_the_imports_were_found():
    assert len(TREES) > 40
    assert Import("ingest.load", "ingest.store", at_import=True) in IMPORTS
    assert Import("serve.cli", "serve.commands.exports", at_import=False) in IMPORTS


def test_no_floor_imports_one_above_it():
    up = [
        each
        for each in IMPORTS
        if floor(each.target) in FLOORS
        and FLOORS.index(floor(each.target)) > FLOORS.index(floor(each.module))
    ]
    assert up == []


def test_no_module_imports_itself_round_a_circle():
    below: dict[str, set[str]] = {module: set() for module in TREES}
    for each in IMPORTS:
        if each.target in TREES and each.target != each.module:
            below[each.module].add(each.target)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for inner in sorted(below[module]):
                visit(inner, (*path, module))
            done.add(module)

    for module in TREES:
        visit(module, ())


def test_ingest_and_dataset_load_nothing_heavy():
    heavy = [
        each
        for each in IMPORTS
        if floor(each.module) in ("ingest", "dataset")
        and each.at_import
        and each.target.partition(".")[0] in HEAVY
    ]
    assert heavy == []


LOADED = "import sys; import {}; print(*sorted(sys.modules))"


@pytest.mark.parametrize(
    "module", ["serve.cli", "ingest.load, dataset.build, serve.commands.exports"]
)
def test_importing_loads_nothing_heavy(module):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(module)],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & HEAVY == set()
    if module == "serve.cli":  # --help in half a second
        assert loaded & {"duckdb", "polars", "pyarrow", "pydantic", "numpy"} == set()


def test_only_the_store_speaks_sql():
    assert {each.module for each in IMPORTS if floor(each.target) == "duckdb"} == {"ingest.store"}


def reads_environment(tree: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and any(each.name in names for each in node.names))
        for node in ast.walk(tree)
    )


def test_only_the_settings_read_the_environment():
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if reads_environment(TREES[name_of(path)])
    }
    assert readers <= READS_ENVIRONMENT
    source = (ROOT / "ingest" / "settings.py").read_text()
    assert "BaseSettings" in source  # pydantic reads it there


def test_no_folder_of_tests_is_named_like_a_package():
    names = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert names & {*FLOORS, "tests"} == set()
    assert not (ROOT / "tests" / "__init__.py").exists()
