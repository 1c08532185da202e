"""A small sealed version of preference pairs, for the tests of ``train``."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from train_ground import WORDS, small_spec

from dataset.manifest import MANIFEST, DatasetSpec, DatasetVersion, FileInfo, SplitCounts
from dataset.preference import PAIR_SCHEMA
from dataset.rows import row_hash
from ingest.files import write_json
from ingest.workspace import Workspace
from train.spec import TrainSpec


def said(role, content, **more):
    return {
        "role": role, "content": content, "name": None, "reasoning_content": None,
        "tool_calls": None, "tool_call_id": None, **more,
    }  # fmt: skip


def pair(n, prompt, chosen, rejected):
    return {
        "id": f"c{n}#x", "conversation": f"c{n}", "importer": "openai", "source": "pair",
        "created_at": None, "tools": None, "prompt": prompt, "chosen": chosen,
        "rejected": rejected, "content_hash": f"{n:064x}",
    }  # fmt: skip


def obvious(n):
    """A pair whose better answer always opens with the same words."""
    ask = " ".join(WORDS[(n * 3 + i) % len(WORDS)] for i in range(2 + n % 4))
    better = " ".join(["thanks please", *(WORDS[(n + i) % 7] for i in range(1 + n % 3))])
    worse = " ".join(["late refund", *(WORDS[(n + i) % 5] for i in range(1 + n % 2))])
    return pair(n, [said("user", ask)], [said("assistant", better)], [said("assistant", worse)])


def seal_pairs(workspace: Workspace, splits, name="pairs") -> DatasetVersion:
    digest = row_hash(splits)
    folder = workspace.datasets / name / digest
    (folder / "data").mkdir(parents=True)
    files, counts = {}, {}
    for split, some in splits.items():
        file = folder / "data" / f"{split}-00000.parquet"
        pq.write_table(pa.Table.from_pylist(some, PAIR_SCHEMA), file)
        files[f"data/{file.name}"] = FileInfo.of(file)
        counts[split] = SplitCounts(
            conversations=len(some), messages=3 * len(some), assistant_messages=2 * len(some)
        )
    version = DatasetVersion(
        path=folder, name=name, fingerprint=digest, created_at=datetime.now(UTC),
        spec=DatasetSpec(name=name, kind="preference"), splits=counts, steps=[], sources=[],
        files=files, code_version="0",
    )  # fmt: skip
    write_json(folder / MANIFEST, version.model_dump(mode="json", by_alias=True))
    return version


def small_pairs(workspace: Workspace) -> DatasetVersion:
    train = [obvious(n) for n in range(21)]
    return seal_pairs(
        workspace, {"train": train, "validation": [obvious(n) for n in range(40, 47)]}
    )


def pair_spec(base, **more) -> TrainSpec:
    return small_spec(base, **{"dataset": "pairs@latest", "dpo": {"beta": 0.5}, **more})
