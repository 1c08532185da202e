"""What a run says beside its steps, each in a sentence: what it tried, changed and went without."""

from typing import Any

from serve import terminal
from serve.commands.pod_notes import note_of_pod
from train.launchers.base import OnEvent
from train.record import RunRecord


def noted(on_event: OnEvent) -> OnEvent:
    """Passes events on, and prints a line for those that a person should know of."""

    def told(event: dict[str, Any]) -> None:
        sentence = note_of(event)
        if sentence:
            terminal.note(sentence)
        on_event(event)

    return told


def note_of(event: dict[str, Any]) -> str | None:
    """An event in a sentence; None where there is nothing to know."""
    kind = event["event"]
    if kind == "burn_in":
        forecast = event["forecast_gib"]
        planned = f", {forecast:.2f} were forecast" if forecast else ""
        return (
            f"burn-in: the heaviest micro batch ({event['rows']} rows, {event['tokens']:,} tokens)"
            f" runs; {event['peak_gib']:.2f} GiB at most{planned}"
        )
    if kind == "step_down":
        return (
            f"out of memory in {event['during']} with {event['before']}: going on from the last"
            f" checkpoint with {event['after']}"
        )
    if kind == "shortened":
        return (
            f"rows cut to {event['max_length']} tokens: {event['rows_cut']} rows,"
            f" {event['trained_tokens_lost']:,} trained tokens are lost"
        )
    if kind == "early_stop":
        return (
            f"ends early at step {event['step']}: {event['reason']}; the best held-out loss,"
            f" {event['best_loss']:.3f}, was at step {event['best_step']}"
        )
    if kind == "best_lost":
        return f"the best weights, of step {event['step']}, are damaged: ending with the last"
    if kind == "checkpoint_damaged":
        return f"{event['checkpoint']} is damaged or not whole: going on from the one before it"
    return note_of_pod(event)


def changes_told(record: RunRecord) -> dict[str, str]:
    """What a run changed because memory ran out, as facts to print."""
    if not record.changes:
        return {}
    return {"stepped down to": str(record.changes[-1].after)}
