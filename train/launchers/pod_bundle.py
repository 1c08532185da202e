"""Everything a pod needs for a run as one archive: the same run gives the same bytes.

In it: the plan with paths of the archive instead of this machine's, the rendered rows, the sealed
version, the code as it runs here, what it needs pinned as it is installed here, and the base model
where it has no address on the Hub. No secrets.
"""

import importlib.metadata
import importlib.util
import re
import tarfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from dataset.manifest import open_version
from ingest.files import write_whole
from train.plan import PLAN, TrainPlan

RUN, VERSION, BASE, CODE = "run", "version", "base", "code"
JOB, REQUIREMENTS = "job.json", "requirements.txt"
# training needs no door
_PACKAGES = ("ingest", "dataset", "train")
# an image brings the torch that fits its CUDA
_OF_THE_IMAGE = {"torch"}
_UNSHIPPED = {"__pycache__", "_sample_data"}


def rebase_plan(plan: TrainPlan, run_dir: Path, dataset_path: Path, base_path: Path) -> TrainPlan:
    """The plan for a place where its files lie elsewhere; nothing else is changed."""
    return plan.model_copy(
        update={
            "run_dir": run_dir,
            "dataset": plan.dataset.model_copy(update={"path": dataset_path}),
            "base": plan.base.model_copy(update={"path": base_path}),
        }
    )


def make_bundle(
    plan: TrainPlan,
    out: Path,
    *,
    command: Sequence[str] | None = None,
    outputs: Sequence[str] = (),
    more: Path | None = None,
) -> Path:
    """Write the archive of a run.

    Args:
        plan: as it lies in its run's folder, rendered rows beside it.
        out: the archive; replaced whole.
        command: what to run in the unpacked archive instead of ``train.sft``, such as an exported
            configuration of another program.
        outputs: of such a command: folders to deliver, relative to the archive's ``more``.
        more: of such a command: a folder to ship beside the plan.

    Returns:
        ``out``.

    Raises:
        VersionError: the dataset version is missing or damaged.
    """
    open_version(plan.dataset.path).verify()
    portable = rebase_plan(plan, Path(RUN), Path(VERSION), Path(BASE))
    if plan.base.revision is None:
        named = portable.base.model_copy(update={"model": plan.base.path.name})
        portable = portable.model_copy(update={"base": named})
    job = {
        "run_id": plan.run_id,
        "command": list(command) if command is not None else None,
        "outputs": list(outputs),
        "stall_s": plan.stall_s,
        "steps": plan.steps,
    }
    texts = {
        JOB: orjson.dumps(job, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
        f"{RUN}/{PLAN}": orjson.dumps(portable.model_dump(mode="json"), option=orjson.OPT_INDENT_2),
        REQUIREMENTS: "".join(f"{line}\n" for line in requirements(plan)).encode(),
    }
    files: dict[str, Path] = {
        f"{RUN}/{counts.file}": plan.run_dir / counts.file for counts in plan.splits.values()
    }
    files |= _below(plan.dataset.path, VERSION)
    for package in _PACKAGES:
        files |= _below(_folder_of(package), f"{CODE}/{package}")
    if plan.base.revision is None:
        files |= _below(plan.base.path, BASE)
    if more is not None:
        files |= _below(more, "more")
    with write_whole(out) as raw, tarfile.open(fileobj=raw, mode="w") as tar:
        for name in sorted({*texts, *files}):
            if name in texts:
                tar.addfile(_entry(name, len(texts[name])), BytesIO(texts[name]))
            else:
                with files[name].open("rb") as file:
                    tar.addfile(_entry(name, files[name].stat().st_size), file)
    return out


def _folder_of(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0])


def _below(folder: Path, name: str) -> dict[str, Path]:
    """Every file of a folder by its name in the archive; links are followed."""
    found = {}
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        hidden = any(part in _UNSHIPPED or part.startswith(".") for part in inside.parts)
        if file.is_file() and not hidden:
            found[f"{name}/{inside.as_posix()}"] = file
    return found


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """Nothing of who packed it and when."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, 0
    return entry


def requirements(plan: TrainPlan) -> list[str]:
    """What the pod must have installed, pinned as it is here; torch is the image's."""
    extras = ["train", *(["quant"] if plan.quantization else [])]
    names = {name for name in _required(extras) if name not in _OF_THE_IMAGE}
    return [f"{name}=={_version(name)}" for name in sorted(names)]


def _required(extras: Sequence[str]) -> Iterator[str]:
    for line in importlib.metadata.requires("turnmill") or []:
        asked, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if extra is None or extra[1] in extras:
            name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", asked)
            assert name is not None, line
            yield name[0].lower()


def _version(name: str) -> str:
    # what this machine's build adds after a plus is not on the index
    return importlib.metadata.version(name).partition("+")[0]


def job_of(bundle: Path) -> dict[str, Any]:
    """What ``job.json`` of an unpacked archive says."""
    found: dict[str, Any] = orjson.loads((bundle / JOB).read_bytes())
    return found
