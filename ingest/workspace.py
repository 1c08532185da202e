"""Where things lie in a workspace (``--home``). The one place that knows the folder names."""

from dataclasses import dataclass
from pathlib import Path

from ingest.errors import StoreError


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
    def raw(self) -> Path:
        """``raw/<sha256>.*``: the exports themselves, packed."""
        return self.home / "raw"

    @property
    def datasets(self) -> Path:
        """``datasets/<name>/<fingerprint>/``: sealed dataset versions."""
        return self.home / "datasets"

    @property
    def clusters(self) -> Path:
        """``clusters/<name>/<fingerprint>/``: which conversation a build kept for which others."""
        return self.home / "clusters"

    @property
    def runs(self) -> Path:
        """``runs/<run id>/``: plan, record, metrics, checkpoints and adapter of each run."""
        return self.home / "runs"

    @property
    def runpod(self) -> Path:
        """``runpod/``: the journal of what was asked of RunPod, and who looks after which run."""
        return self.home / "runpod"

    @property
    def models(self) -> Path:
        """``models/<name>/``: base models made here and merged models."""
        return self.home / "models"

    @property
    def evals(self) -> Path:
        """``evals/<eval id>/``: evaluation reports."""
        return self.home / "evals"

    @property
    def people(self) -> Path:
        """``people.json``: who is one person, and who is the assistant."""
        return self.home / "people.json"

    @property
    def pushes(self) -> Path:
        """``pushes.jsonl``: which version went to which repository."""
        return self.home / "pushes.jsonl"

    @property
    def tainted(self) -> Path:
        """``tainted.json``: which versions, runs and models still hold what was erased."""
        return self.home / "tainted.json"

    @property
    def ledgers(self) -> Path:
        """``ledgers/<name>/<fingerprint>.parquet``: what redaction removed, as salted hashes."""
        return self.home / "ledgers"

    @property
    def rendered(self) -> Path:
        """``rendered/<key>/``: dataset versions as token ids; may be deleted at any time."""
        return self.home / "rendered"

    @property
    def secret(self) -> Path:
        """``secret.key``: the salt of the ledgers' hashes."""
        return self.home / "secret.key"

    @property
    def person_numbers(self) -> Path:
        """``person-numbers.txt``: the numbers of ``Person_7``, by salted hashes of names."""
        return self.home / "person-numbers.txt"

    @property
    def config(self) -> Path:
        """``turnmill.toml``: what shall happen when something is done; written by the user."""
        return self.home / "turnmill.toml"

    @property
    def hooks(self) -> Path:
        """``hooks/<event id>/``: what happened, and how each hook took it."""
        return self.home / "hooks"

    def create(self) -> "Workspace":
        """Make the workspace's folder (mode 0700: it holds private chats).

        Raises:
            StoreError: it cannot be made there.
        """
        make_folder(self.home)
        return self


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can read, where there is none yet.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"{path}: the folder cannot be made: {error.strerror}", "choose another with --home"
        ) from None
