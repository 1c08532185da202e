"""What the loss on the validation split decides while a run goes on.

When it is taken, whether the run ends early, and which weights it ends with: functions of the plan
and of counts that travel in each checkpoint, so that a resumed run decides as an uninterrupted one.
"""

import math
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ingest.files import read_json, sha256_file, write_json
from train.adapter import save_weights
from train.checkpoints import BEST, Progress, kept
from train.failures import DivergedError
from train.plan import TrainPlan
from train.step_down import HELD_OUT, Moment

_SEAL = "best.json"


def is_due(plan: TrainPlan, step: int) -> bool:
    """Whether the loss is taken after a step: regularly, and after the last."""
    every = plan.held_out.every_steps or plan.save_every_steps
    return plan.eval and (step % every == 0 or step == plan.steps)


def judged(progress: Progress, step: int, loss: float) -> Progress:
    """The counts after a loss on the validation split; only a lower one is better."""
    if progress.best_loss is None or loss < progress.best_loss:
        return progress._replace(best_loss=loss, best_step=step, losses_since_best=0)
    return progress._replace(losses_since_best=progress.losses_since_best + 1)


def gives_up(plan: TrainPlan, progress: Progress) -> bool:
    """Whether the run ends early: so many losses without a better one."""
    patience = plan.held_out.stop_after
    return patience is not None and progress.losses_since_best >= patience


def is_ended(plan: TrainPlan, progress: Progress) -> bool:
    """Whether nothing is left to train."""
    return progress.step >= plan.steps or gives_up(plan, progress)


class Judge(TrainerCallback):  # type: ignore[misc] # transformers ships no types
    """Takes the loss when it is due, and acts on it."""

    def __init__(self, trainer: Any, rows: Any, at: Moment) -> None:
        """Attach to a trainer.

        Args:
            trainer: a ``train.run_trainer.RunTrainer``.
            rows: of the validation split, as the trainer takes them.
            at: told while the loss is taken.
        """
        self.trainer = trainer
        self.rows = rows
        self.at = at
        self.last: dict[str, Any] = {}
        trainer.judge = self
        trainer.add_callback(self)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Ask for the loss where it is due: after the step is told, before a checkpoint."""
        control.should_evaluate = is_due(self.trainer.plan, state.global_step)
        return control

    def before(self) -> None:
        """The loss of what the run starts from: an adapter starts as nothing."""
        told = self._told(0)
        self.trainer.progress = self.trainer.progress._replace(loss_before=told["loss"])
        self.trainer.emit(told)

    def decide(self) -> None:
        """The loss now; keeps the weights if it is the best, asks for an end if it is hopeless."""
        trainer, plan = self.trainer, self.trainer.plan
        trainer.control.should_evaluate = False
        step = trainer.state.global_step
        told = self._told(step)
        done = trainer.progress = judged(trainer.progress, step, told["loss"])
        trainer.emit({**told, "best_loss": done.best_loss, "best_step": done.best_step})
        trainer.log({"eval_loss": told["loss"]})
        if done.best_step == step and plan.held_out.keep_best:
            save_best(trainer, step, told["loss"])
        if gives_up(plan, done) and step < plan.steps:
            trainer.control.should_save = trainer.control.should_training_stop = True
            trainer.emit(
                {
                    "event": "early_stop",
                    "step": step,
                    "reason": f"{done.losses_since_best} losses without a better one",
                    "best_loss": done.best_loss,
                    "best_step": done.best_step,
                }
            )

    def deliver(self) -> dict[str, float]:
        """Put the weights that the run ends with into the model; what a record says of them."""
        trainer, plan, done = self.trainer, self.trainer.plan, self.trainer.progress
        step = done.step
        if plan.held_out.keep_best and done.best_step != done.step:
            folder = best_weights(plan, done)
            if folder is None:
                trainer.emit({"event": "best_lost", "step": done.best_step})
            else:
                trainer._load_from_checkpoint(str(folder))
                step = done.best_step
        told = self.last
        if told.get("step") != step:
            # read back, it is measured again: what is delivered is what was the best
            told = self._told(step)
            trainer.emit({**told, "best_loss": done.best_loss, "best_step": done.best_step})
        kept_apart = {"event", "step", "trained_tokens"}
        metrics = {f"eval_{name}": told[name] for name in told.keys() - kept_apart}
        metrics["delivered_step"] = step
        if done.step < plan.steps:
            metrics["early_stop_step"] = done.step
        return metrics

    def _told(self, step: int) -> dict[str, Any]:
        before, self.at.during = self.at.during, HELD_OUT
        told = {"event": "eval", "step": step, **self.trainer.held_out_told(self.rows)}
        self.at.during = before
        if not math.isfinite(told["loss"]):
            raise DivergedError(step, "the held-out loss", told["loss"])
        self.last = told
        return told


def save_best(trainer: Any, step: int, loss: float) -> None:
    """Write the weights as ``best/step-N``, whole; older ones stay until :func:`tidy_best`."""
    folder = _folder(trainer.plan, step)
    folder.parent.mkdir(exist_ok=True)
    digests = save_weights(trainer, folder)
    if digests:
        write_json(folder / _SEAL, {"step": step, "loss": loss, "files": digests})


def tidy_best(plan: TrainPlan, progress: Progress) -> None:
    """Delete best weights that no kept checkpoint speaks of: a resumed run may still need those."""
    wanted = {one.best_step for one in kept(plan.run_dir / "checkpoints")} | {progress.best_step}
    names = {_folder(plan, step).name for step in wanted}
    for folder in (plan.run_dir / BEST).glob("*"):
        if folder.name not in names:
            shutil.rmtree(folder)


def best_weights(plan: TrainPlan, progress: Progress) -> Path | None:
    """The folder of the best weights; None where there is none or it is damaged."""
    folder = _folder(plan, progress.best_step)
    try:
        files = read_json(folder / _SEAL)["files"]
        whole = all(sha256_file(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError):
        # without a readable seal it is not whole
        return None
    return folder if whole else None


def _folder(plan: TrainPlan, step: int) -> Path:
    return plan.run_dir / BEST / f"step-{step}"
