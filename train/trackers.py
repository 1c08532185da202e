"""Where a run's metrics go beside its own events: TensorBoard here, others only when named.

All but TensorBoard send the metrics to a service of their own. No tracker gets text of messages.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.errors import SpecError

LOCAL = "tensorboard"
FOLDER = "tensorboard"


def others(report_to: Sequence[str]) -> list[str]:
    """The trackers that transformers starts by itself.

    Raises:
        SpecError: one that transformers does not know, or that is not installed here.
    """
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    named = [name for name in report_to if name != LOCAL]
    for name in named:
        if name not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
            raise SpecError(f"report_to: no tracker {name!r}", f"known: {known}")
        if name not in get_available_reporting_integrations():
            raise SpecError(
                f"report_to: {name} is not installed here", "install it, or leave it out"
            )
    return named


def tensorboard(run_dir: Path, step: int) -> Any:
    """A callback that writes ``<run>/tensorboard``; a resumed run appends.

    Args:
        run_dir: the run's folder.
        step: steps done; what was written of later ones, before the run was cut off, is void.

    Raises:
        SpecError: TensorBoard is not installed.
    """
    from transformers.integrations import TensorBoardCallback

    if importlib.util.find_spec("tensorboard") is None:
        raise SpecError(
            "report_to: tensorboard is not installed here",
            "pip install 'turnmill[train]', or set report_to = []",
        )
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run_dir / FOLDER), purge_step=step + 1 if step else None)
    return TensorBoardCallback(writer)
