"""What records say, as lines of a table; a record of another layout only says less."""

from collections.abc import Mapping
from typing import Any

from serve.web.plots import number

# facts shown in the typeface of code
HASHES = frozenset({"Run", "Dataset fingerprint", "Template sha256"})


def _facts(*pairs: tuple[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in pairs if value not in (None, "")]


def run_facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what ``run.json`` says."""
    plan = record.get("plan", {})
    metrics = record.get("metrics", {})
    hardware = record.get("hardware", {})
    states = record.get("states") or [{}]
    lora = plan.get("lora", {})
    seconds = metrics.get("seconds")
    return _facts(
        ("Run", record.get("run_id")),
        ("State", states[-1].get("state")),
        ("Base model", plan.get("base", {}).get("model")),
        ("Adapter", f"LoRA rank {lora['r']}, alpha {lora['alpha']}" if lora else None),
        ("Steps", _count(plan.get("steps"))),
        ("Tokens", _count(plan.get("tokens"))),
        ("Trained tokens", _count(plan.get("trained_tokens"))),
        ("Learning rate", plan.get("learning_rate")),
        ("Held-out loss", _change(metrics.get("eval_loss_before"), metrics.get("eval_loss"))),
        ("Time", _duration(seconds) if seconds is not None else None),
        ("Machine", hardware.get("name")),
    )


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _change(before: float | None, after: float | None) -> str | None:
    if before is None or after is None:
        return None
    return f"{number(before)} \u2192 {number(after)} nats per token"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def certificate_facts(certificate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what ``merge_certificate.json`` says."""
    found = certificate.get("comparison", {})

    def small(name: str) -> str | None:
        value = found.get(name)
        return None if value is None else f"{value:.3g}"

    agree = found.get("argmax_agree")
    ratio = found.get("effect_to_error")
    return _facts(
        ("Verdict", certificate.get("verdict")),
        ("Reason", certificate.get("reason")),
        ("Compared on", certificate.get("compared_on")),
        ("Rows", _count(found.get("rows"))),
        ("Positions", _count(found.get("positions"))),
        ("Largest logit difference", small("max_abs")),
        ("Relative L2 difference", small("relative_l2")),
        ("Mean KL divergence, nats", small("kl")),
        ("Same most likely token", None if agree is None else f"{100 * agree:.2f} %"),
        ("Largest effect of the adapter", small("adapter_effect")),
        ("Effect over error", None if ratio is None else f"{ratio:,.0f} times"),
        ("Run", certificate.get("run_id")),
        ("Dataset fingerprint", certificate.get("dataset_fingerprint")),
        ("Template sha256", certificate.get("template_sha256")),
    )


def link_facts(link: Mapping[str, Any]) -> dict[str, str]:
    """Kind, id and detail of one link of ``serve.lineage.lineage``."""
    shown = ("name", "state", "verdict", "split", "conversations")
    parts = [f"{key} {link[key]}" for key in shown if link.get(key) not in (None, "")]
    if link.get("certificate_sha256"):
        parts.append(f"certificate {link['certificate_sha256'][:12]}\u2026")
    if link.get("missing"):
        parts.append("no longer in this workspace")
    made_from = ", ".join(one if len(one) <= 24 else f"{one[:12]}\u2026" for one in link["from"])
    if made_from:
        parts.append(f"from {made_from}")
    return {"kind": link["kind"], "id": link["id"], "detail": " \u00b7 ".join(parts)}
