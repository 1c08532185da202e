"""Which carrier a setting means."""

from pathlib import Path

from pydantic import SecretStr

from train.launchers.carrier_folder import FolderCarrier
from train.launchers.carrier_hub import HubCarrier
from train.launchers.carriers import Carrier, CarrierError

FOLDER, HUB = "folder", "hub"


def open_carrier(setting: str, token: SecretStr | None = None) -> Carrier:
    """The carrier that a setting means.

    Args:
        setting: ``folder:PATH``, or ``hub:ORG/NAME/PREFIX`` for a private dataset repository.
        token: of the Hub.

    Raises:
        CarrierError: it means none.
    """
    kind, _, place = setting.partition(":")
    if kind == FOLDER and place:
        return FolderCarrier(Path(place))
    if kind == HUB and place.count("/") >= 1:
        owner, name, *prefix = place.split("/")
        return HubCarrier(f"{owner}/{name}", token, "/".join(prefix))
    raise CarrierError(f"{setting!r}: means no carrier", "known: folder:PATH, hub:ORG/NAME/PREFIX")
