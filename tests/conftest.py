"""What several test files use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# before any library reads it: tests never ask a hub
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from ingest.store import Store, open_store
from ingest.workspace import Workspace

settings.register_profile("quick", max_examples=10)

SAMPLES = Path(__file__).parent.parent / "sample_data"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").create()


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    with open_store(workspace.store) as opened:
        yield opened
