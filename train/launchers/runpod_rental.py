"""What a rented run was allowed and where its files travel: ``runpod.json`` in the run's folder."""

from pathlib import Path

from pydantic import SecretStr, ValidationError

from ingest.errors import SpecError
from ingest.files import read_json, write_json
from train.launchers.carrier_open import FOLDER, HUB, open_carrier
from train.launchers.carriers import Carrier
from train.spec import RunpodSpec

RENTAL = "runpod.json"
# where RunPod's own images expect a network volume
VOLUME_PATH = "/workspace"
_ON_VOLUME = "turnmill"


def write_rental(run_dir: Path, settings: RunpodSpec) -> None:
    """Keep what a run may cost and how its files travel."""
    write_json(run_dir / RENTAL, settings.model_dump(mode="json"))


def is_rented(run_dir: Path) -> bool:
    """Whether a run was meant for RunPod."""
    return (run_dir / RENTAL).exists()


def read_rental(run_dir: Path) -> RunpodSpec:
    """What a run may cost and how its files travel.

    Raises:
        SpecError: it was not meant for RunPod, or the file is damaged.
    """
    file = run_dir / RENTAL
    try:
        return RunpodSpec.model_validate(read_json(file))
    except FileNotFoundError:
        raise SpecError(
            f"{run_dir.name}: this run was not planned for RunPod",
            "start it with 'turnmill train TRAIN.toml --launcher runpod'",
        ) from None
    except (ValidationError, ValueError) as error:
        detail = str(error).splitlines()[0]
        raise SpecError(
            f"{file}: {detail}",
            f"turnmill train TRAIN.toml --resume {run_dir.name} --launcher runpod writes it anew",
        ) from None


def inside(settings: RunpodSpec, run_id: str) -> str:
    """The setting of the carrier as the pod sees it."""
    if settings.hub is not None:
        return f"{HUB}:{settings.hub}/{run_id}"
    return f"{FOLDER}:{VOLUME_PATH}/{_ON_VOLUME}/{run_id}"


def outside(settings: RunpodSpec, run_id: str, token: SecretStr | None) -> Carrier:
    """The same carrier as this machine sees it.

    Args:
        settings: of the run.
        run_id: names its folder there.
        token: of the Hub.

    Raises:
        SpecError: the volume is not to be had here, or a token is missing.
    """
    if settings.hub is not None:
        if token is None:
            raise SpecError(
                f"HF_TOKEN is not set, and files travel through {settings.hub}",
                "make a token that may write to this one repository, and set HF_TOKEN",
            )
        return open_carrier(inside(settings, run_id), token)
    assert settings.volume_folder is not None
    if not settings.volume_folder.is_dir():
        raise SpecError(
            f"{settings.volume_folder}: is no folder",
            "volume_folder is where this machine has the network volume mounted",
        )
    return open_carrier(f"{FOLDER}:{settings.volume_folder.absolute() / _ON_VOLUME / run_id}")
