"""An evaluation with believable numbers, for the tests of pages."""

import math
import random
from datetime import UTC, datetime

from train_ground import message, seal_version

from serve.evaluation.report import (
    Answer,
    ConversationScore,
    EvalReport,
    Lengths,
    Sample,
    SampleMessage,
    Score,
    sealed,
)
from serve.evaluation.statistics import paired

QUESTIONS = [
    ("My parcel was due on Tuesday and tracking has not moved since. Order 48213.",
     "I'm sorry about the wait. Order 48213 is at the depot and goes out tomorrow before noon.",
     "The parcel is a parcel that is a parcel.",
     "I'm sorry about the wait. I can see order 48213 at our depot; it will be with you tomorrow."),
    ("Can I still change the delivery address?",
     "Yes, until it leaves the depot. Which address should it go to?",
     "Yes, you can change the address. The address is the address of the",
     "Yes, as long as it has not left the depot. What is the new address?"),
    ("Wie lange habe ich Zeit für die Rückgabe?",
     "30 Tage ab Lieferung, ungetragen und mit Etikett.",
     "",
     "Sie haben 30 Tage ab Lieferung. Soll ich Ihnen das Rücksendeetikett schicken?"),
    ("The invoice shows the wrong VAT number 😕",
     "Thanks for spotting that. Send me the right number and I will reissue it today.",
     "I am not sure what you mean by that. Please send the invoice to the invoice",
     "Thanks for telling us. Please send me the correct VAT number and I'll reissue the invoice."),
]  # fmt: skip


def support_version(workspace, train=1180, held_out=64):
    def talk(n):
        asked, said, _, _ = QUESTIONS[n % len(QUESTIONS)]
        return [message("user", asked), message("assistant", said)] * (1 + n % 3)

    splits = {
        "train": [talk(n) for n in range(train)],
        "validation": [talk(n) for n in range(held_out)],
        "test": [talk(n) for n in range(held_out)],
    }
    return seal_version(workspace, splits)


def report_for(version, *, conversations=64, samples=8, effect=-1.26, **changes):
    draw = random.Random(3)
    table = []
    for _ in range(conversations):
        tokens = int(draw.lognormvariate(5, 0.7)) + 20
        base = draw.gauss(2.31, 0.3)
        model = base + draw.gauss(effect, 0.45)
        table.append(
            ConversationScore(
                id=f"openai-{draw.getrandbits(64):016x}",
                tokens=tokens,
                scored=tokens // 2,
                base=base,
                model=model,
            )
        )
    scored = [one.scored for one in table]
    found = paired(
        [one.base * one.scored for one in table], [one.model * one.scored for one in table], scored
    )
    scores = {
        "nll": found.tuned,
        "nll_base": found.base,
        "nll_delta": found.delta,
        "perplexity_ratio": found.perplexity_ratio,
        "share_improved": found.share_improved,
    }
    trained = [int(draw.lognormvariate(5, 0.7)) + 20 for _ in range(1180)]
    fields = {
        "eval_id": "",
        "model": "support-20260114",
        "base": "Qwen/Qwen3-0.6B",
        "run": "20260114-101512-a3f9",
        "dataset": version.name,
        "dataset_fingerprint": version.fingerprint,
        "trained_on": version.fingerprint,
        "split": "test",
        "seed": 0,
        "scores": {name: Score.of(one) for name, one in scores.items()},
        "conversations": table,
        "skipped": {},
        "lengths": {
            "train": Lengths.of(trained),
            "test": Lengths.of([one.tokens for one in table]),
        },
        "samples": [sample(n, table[n].id) for n in range(samples)],
        "created_at": datetime(2026, 1, 14, 11, 2, tzinfo=UTC),
    }
    return sealed(EvalReport(**{**fields, **changes}))


def sample(n, name):
    asked, said, base, tuned = QUESTIONS[n % len(QUESTIONS)]
    prompt = [SampleMessage(role="system", content="You answer for a small mail-order shop.")]
    for turn in range(n % 3):
        prompt += [
            SampleMessage(role="user", content=f"Hello, question {turn + 1} first."),
            SampleMessage(role="assistant", content="Of course, go ahead."),
        ]
    return Sample(
        id=name,
        prompt=[*prompt, SampleMessage(role="user", content=asked)],
        reference=said,
        base=Answer(text=base, finish_reason="length" if base.endswith("the") else "stop"),
        model=Answer(text=tuned, finish_reason="stop"),
    )


def metrics(steps=180):
    draw = random.Random(1)
    events = [{"event": "start", "run": "r"}, {"event": "eval", "step": 0, "loss": 2.34}]
    for step in range(1, steps + 1):
        loss = 1.02 + 1.3 * math.exp(-step / 25) + draw.gauss(0, 0.09)
        events.append({"event": "step", "step": step, "loss": loss, "lr": 1e-4})
    return [*events, {"event": "eval", "step": steps, "loss": 1.07}]


def run_record(version):
    return {
        "run_id": "20260114-101512-a3f9",
        "states": [{"state": "planned"}, {"state": "succeeded"}],
        "plan": {
            "base": {"model": "Qwen/Qwen3-0.6B"},
            "lora": {"r": 16, "alpha": 32},
            "steps": 180,
            "tokens": 612_440,
            "trained_tokens": 301_877,
            "learning_rate": 0.0002,
            "peak": {
                "parts_gib": {
                    "weights": 1.11,
                    "adapters": 0.04,
                    "gradients": 0.04,
                    "optimiser": 0.08,
                    "activations": 4.2,
                    "loss": 0.6,
                    "buffers": 0.02,
                    "context": 0.5,
                    "slack": 0.5,
                },
                "memory_gib": 21.9,
            },
        },
        "metrics": {"eval_loss_before": 2.34, "eval_loss": 1.07, "seconds": 1534.2},
        "hardware": {"name": "NVIDIA L4"},
        "dataset_fingerprint": version.fingerprint,
        "template_sha256": "5d" * 32,
    }


def certificate(version):
    return {
        "verdict": "pass",
        "reason": "the merge is off by 3.1e-05, at most a hundredth of the adapter's effect of 9.7",
        "compared_on": "validation",
        "comparison": {
            "rows": 16,
            "positions": 4211,
            "max_abs": 3.1e-5,
            "relative_l2": 2.2e-7,
            "kl": 1.4e-12,
            "argmax_agree": 1.0,
            "adapter_effect": 9.7,
            "effect_to_error": 312_903.2,
        },
        "run_id": "20260114-101512-a3f9",
        "dataset_fingerprint": version.fingerprint,
        "template_sha256": "5d" * 32,
    }


def lineage_of(version, report):
    source = "9c" * 32
    return [
        {"kind": "source", "id": source, "from": []},
        {"kind": "dataset", "id": version.fingerprint, "from": [source], "name": version.name,
         "conversations": 1308},
        {"kind": "run", "id": report.run, "from": [version.fingerprint], "state": "succeeded"},
        {"kind": "model", "id": report.model, "from": [report.run], "verdict": "pass",
         "certificate_sha256": "77" * 32},
        {"kind": "eval", "id": report.eval_id, "from": [report.model, version.fingerprint],
         "split": "test"},
    ]  # fmt: skip
