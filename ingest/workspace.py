"""Where things lie in a workspace (``--home``). The one place that knows the folder names."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The folders and files of one workspace.

    Attributes:
        home: the workspace's folder; made on first use, readable by its owner only.
    """

    home: Path

    @property
    def store(self) -> Path:
        """The DuckDB file with the imported conversations."""
        return self.home / "store.duckdb"

    @property
    def datasets(self) -> Path:
        """``datasets/<name>/<fingerprint>/``: sealed dataset versions."""
        return self.home / "datasets"

    @property
    def runs(self) -> Path:
        """``runs/<run id>/``: plan, record, metrics, checkpoints and adapter of each run."""
        return self.home / "runs"

    @property
    def models(self) -> Path:
        """``models/<name>/``: base models made here and merged models."""
        return self.home / "models"

    @property
    def evals(self) -> Path:
        """``evals/<eval id>/``: evaluation reports."""
        return self.home / "evals"

    def create(self) -> "Workspace":
        """Make the workspace's folder (mode 0700: it holds private chats)."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self
