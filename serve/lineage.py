"""One chain of hashes: source, conversation, dataset version, run, model, evaluation.

Read from the files that each stage leaves behind (``manifest.json``, ``run.json``,
``merge_certificate.json``, ``report.json``), from either end. A later stage that has not happened
is simply not there; something named by a file and no longer on disk is shown as missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset.forget import Offspring
from dataset.manifest import DatasetVersion, list_versions
from ingest.errors import UserError
from ingest.files import read_json, sha256_file
from ingest.workspace import Workspace
from train.push_model import ModelPush, read_model_pushes

KINDS = ("source", "conversation", "dataset", "run", "model", "eval")
_SHORTEST_PREFIX = 6

Key = tuple[str, str]
"""Kind and id of a link."""


class LineageError(UserError):
    """Something that is in no chain, or a file of a chain that does not parse."""


@dataclass
class _Link:
    facts: dict[str, Any] = field(default_factory=lambda: {"missing": True})
    parents: set[Key] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def lineage(ref: str, workspace: Workspace) -> list[dict[str, Any]]:
    """The chain through ``ref``: all it was made from, itself, all that was made of it.

    Args:
        ref: a source's sha256, a conversation's id, a dataset version (``name``, ``name@hash``,
            hash), a run's id, a model's name or folder, or an evaluation's id; hashes and ids
            may be cut to their first six characters or more.
        workspace: whose files are read.

    Returns:
        Links as ``{"kind", "id", "from": [ids], ...facts}``, sources first.

    Raises:
        LineageError: nothing, or more than one kind of thing, has this name.
    """
    versions = list_versions(workspace)
    links = _links(workspace, versions)
    _add_conversation(ref, versions, links)
    found = _matching(ref, links)
    if not found:
        raise LineageError(
            f"{ref}: no such source, conversation, version, run, model or evaluation",
            "list them with 'turnmill versions' and 'turnmill runs'",
        )
    children = _children(links)
    chain = _reached(found, lambda key: links[key].parents)
    chain |= _reached(found, lambda key: children.get(key, set()))
    return [
        {
            "kind": key[0],
            "id": key[1],
            "from": sorted(parent[1] for parent in links[key].parents & chain),
            **links[key].facts,
        }
        for key in sorted(chain, key=lambda key: _place(key, links[key]))
    ]


def made_of(versions: Sequence[DatasetVersion], workspace: Workspace) -> dict[str, Offspring]:
    """What was made of each of these versions, by fingerprint.

    Raises:
        LineageError: a file of a chain does not parse.
    """
    links = _links(workspace, list(versions))
    children = _children(links)
    found: dict[str, Offspring] = {}
    for version in versions:
        reached = _reached([("dataset", version.fingerprint)], lambda key: children.get(key, set()))
        ids = {kind: sorted(id_ for of, id_ in reached if of == kind) for kind in KINDS}
        found[version.fingerprint] = Offspring(ids["run"], ids["model"], ids["eval"])
    return found


def _children(links: dict[Key, _Link]) -> dict[Key, set[Key]]:
    children: dict[Key, set[Key]] = {}
    for key, link in links.items():
        for parent in link.parents:
            children.setdefault(parent, set()).add(key)
    return children


def _place(key: Key, link: _Link) -> tuple[int, str, str]:
    return KINDS.index(key[0]), str(link.facts.get("created_at", "")), key[1]


def _reached(start: Iterable[Key], following: Callable[[Key], Iterable[Key]]) -> set[Key]:
    seen: set[Key] = set()
    waiting = list(start)
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            waiting += following(key)
    return seen


def _matching(ref: str, links: dict[Key, _Link]) -> set[Key]:
    """Exact ids and names first; else the one link whose id begins with ``ref``."""
    folder = Path(ref)
    name = folder.name if folder.is_dir() else ref.removesuffix("@latest")
    exact = {key for key, link in links.items() if name == key[1] or name in link.names}
    if exact:
        return exact
    family, _, prefix = ref.rpartition("@")
    if len(prefix) < _SHORTEST_PREFIX:
        return set()
    return {
        key
        for key, link in links.items()
        if key[1].startswith(prefix) and (not family or family in link.names)
    }


def _links(workspace: Workspace, versions: list[DatasetVersion]) -> dict[Key, _Link]:
    links: dict[Key, _Link] = {}
    for version in versions:
        _add_version(version, links)
    for file, run in _read(workspace.runs, "run.json"):
        _add_run(file, run, links)
    pushes = read_model_pushes(workspace)
    for file, certificate in _read(workspace.models, "merge_certificate.json"):
        _add_model(file, certificate, links, pushes)
    for file, report in _read(workspace.evals, "report.json"):
        _add_eval(file, report, links)
    # what is named somewhere and lies nowhere
    for key in {parent for link in links.values() for parent in link.parents} - links.keys():
        links[key] = _Link()
    return links


def _read(folder: Path, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(folder.glob(f"*/{name}")):
        try:
            yield file, read_json(file)
        except ValueError:
            raise LineageError(f"{file}: is not JSON", "restore or remove it") from None


def _add_version(version: DatasetVersion, links: dict[Key, _Link]) -> None:
    for sha256 in version.sources:
        # the store knows the file's name; the hash is what the chain needs
        links.setdefault(("source", sha256), _Link(facts={}))
    links["dataset", version.fingerprint] = _Link(
        facts={
            "name": version.name,
            "created_at": version.created_at.isoformat(),
            "conversations": sum(split.conversations for split in version.splits.values()),
            "path": str(version.path),
        },
        parents={("source", sha256) for sha256 in version.sources},
        names={version.name, version.ref},
    )


def _add_run(file: Path, run: dict[str, Any], links: dict[Key, _Link]) -> None:
    states = run.get("states") or [{}]
    links["run", run.get("run_id", file.parent.name)] = _Link(
        facts={
            "state": states[-1].get("state"),
            "created_at": states[0].get("at", ""),
            "path": str(file.parent),
        },
        parents=_keys(dataset=run.get("dataset_fingerprint")),
    )


def _add_model(
    file: Path,
    certificate: dict[str, Any],
    links: dict[Key, _Link],
    pushes: Sequence[ModelPush],
) -> None:
    run = certificate.get("run_id")
    went = [one for one in pushes if (one.model, one.run_id) == (file.parent.name, run)]
    links["model", file.parent.name] = _Link(
        facts={
            "base_model": certificate.get("base"),
            "verdict": certificate.get("verdict"),
            "certificate_sha256": sha256_file(file),
            "path": str(file.parent),
            # one that was begun may be there too
            "pushed": [f"{one.repo}@{one.commit or 'not finished'}" for one in went],
        },
        # where the run names its dataset version, the certificate need not
        parents=_keys(run=run)
        if ("run", run) in links
        else _keys(run=run, dataset=certificate.get("dataset_fingerprint")),
    )


def _add_eval(file: Path, report: dict[str, Any], links: dict[Key, _Link]) -> None:
    model = report.get("model")
    delta = report.get("scores", {}).get("nll_delta", {})
    links["eval", report.get("eval_id", file.parent.name)] = _Link(
        facts={
            "split": report.get("split"),
            "nll_delta": delta.get("mean"),
            "created_at": report.get("created_at", ""),
            "path": str(file.parent),
        },
        parents=_keys(model=model, dataset=report.get("dataset_fingerprint")),
    )


def _keys(**ids: str | None) -> set[Key]:
    return {(kind, value) for kind, value in ids.items() if value is not None}


def _add_conversation(ref: str, versions: list[DatasetVersion], links: dict[Key, _Link]) -> None:
    """Add the conversation ``ref`` and make it a parent of the versions that hold it."""
    for version in versions:
        for split in version.splits:
            # a pair names the conversation that it was taken from
            column = "id" if version.spec.kind == "chat" else "conversation"
            ids = pq.read_table(version.file(split), columns=[column], partitioning=None)[column]
            if pc.any(pc.equal(ids, ref)).as_py():
                links.setdefault(("conversation", ref), _Link(facts={}))
                links["dataset", version.fingerprint].parents.add(("conversation", ref))
