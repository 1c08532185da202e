"""What the base model says of each pair, where no base is left to ask once training has begun."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.files import write_whole

Reference = dict[str, tuple[float, float]]
"""By a pair's id: log-probabilities (nats) of the better and of the worse answer."""

_SCHEMA = pa.schema([("id", pa.string()), ("chosen", pa.float32()), ("rejected", pa.float32())])


def read_reference(file: Path) -> Reference:
    """What was written; empty where nothing was."""
    if not file.is_file():
        return {}
    columns = pq.read_table(file).to_pydict()
    sides = zip(columns["chosen"], columns["rejected"], strict=True)
    return dict(zip(columns["id"], sides, strict=True))


def write_reference(file: Path, reference: Reference) -> None:
    """Write the file, whole."""
    sides = reference.values()
    columns = [
        list(reference),
        [chosen for chosen, _ in sides],
        [rejected for _, rejected in sides],
    ]
    arrays = [pa.array(one, field.type) for one, field in zip(columns, _SCHEMA, strict=True)]
    with write_whole(file) as whole:
        pq.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), whole)
