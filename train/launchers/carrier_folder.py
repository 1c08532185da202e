"""A folder as carrier: a network volume where it is mounted."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from ingest.files import write_whole
from train.launchers.carriers import CarrierError, checked_name


class FolderCarrier:
    """See :class:`train.launchers.carriers.Carrier`.

    Args:
        root: the run's folder on the volume; made at the first put.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"FolderCarrier({self.root})"

    def put(self, local: Path, name: str) -> None:
        """See :class:`train.launchers.carriers.Carrier`.

        Raises:
            CarrierError: the volume takes no more, or is not there.
        """
        try:
            with local.open("rb") as source, write_whole(self._place(name)) as file:
                shutil.copyfileobj(source, file, 1 << 20)
        except OSError as error:
            raise CarrierError(
                f"{name}: could not be written to the volume: {error.strerror}",
                "free room on the volume, or take a larger one",
            ) from error

    def put_all(self, files: Mapping[str, Path]) -> None:
        """See :class:`train.launchers.carriers.Carrier`.

        Raises:
            CarrierError: as for :meth:`put`.
        """
        for name, local in files.items():
            self.put(local, name)

    def get(self, name: str, local: Path) -> None:
        """See :class:`train.launchers.carriers.Carrier`.

        Raises:
            CarrierError: there is none of that name.
        """
        try:
            source = self._place(name).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise CarrierError(f"{name}: is not on the volume") from None
        with source, write_whole(local) as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def names(self) -> dict[str, int]:
        """See :class:`train.launchers.carriers.Carrier`; what is half written is left out."""
        found = {}
        for file in sorted(self.root.rglob("*")):
            try:
                if file.is_file() and not file.name.endswith(".part"):
                    found[file.relative_to(self.root).as_posix()] = file.stat().st_size
            except FileNotFoundError:
                # the pod deletes old checkpoints meanwhile
                continue
        return found

    def delete(self, name: str) -> None:
        """See :class:`train.launchers.carriers.Carrier`."""
        self._place(name).unlink(missing_ok=True)

    def _place(self, name: str) -> Path:
        return self.root / checked_name(name)
