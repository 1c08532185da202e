"""A launcher says where a run happens, never what."""

from collections.abc import Callable
from typing import Any, Protocol

from train.plan import TrainPlan
from train.record import RunRecord

OnEvent = Callable[[dict[str, Any]], None]


class Launcher(Protocol):
    """Starts ``python -m train.sft plan.json`` somewhere and stays with it."""

    name: str

    def launch(self, plan: TrainPlan, on_event: OnEvent) -> RunRecord:
        """Run the plan to its end, an interruption or a failure.

        Args:
            plan: written as ``plan.json`` in its ``run_dir``.
            on_event: takes each event as it comes.

        Returns:
            The record as it then stands; its state agrees with the exit status.
        """
        ...
