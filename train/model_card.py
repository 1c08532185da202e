"""``README.md`` of a published model: where it comes from and what was proved; no message text."""

import json

from train.certificate import MergeCertificate


def render_model_card(certificate: MergeCertificate) -> str:
    """The card of a merged model.

    Args:
        certificate: as it is published, without paths of this machine.
    """
    base = certificate.base
    head = ["library_name: transformers", "pipeline_tag: text-generation", "tags: [turnmill]"]
    if base.count("/") == 1:
        head.append(f"base_model: {json.dumps(base)}")
    found, revision = certificate.comparison, certificate.base_revision
    rows = [
        ("base model", f"`{base}`" + (f" at `{revision}`" if revision else "")),
        ("run", f"`{certificate.run_id}`"),
        ("dataset version", f"`{certificate.dataset_fingerprint}`"),
        ("chat template", f"sha256 `{certificate.template_sha256}`"),
        ("merged", certificate.recipe or "in fp32"),
        ("stored as", certificate.dtype),
        ("verdict", f"{certificate.verdict}: {certificate.reason}"),
        ("compared", f"{found.positions} positions of {found.rows} {certificate.compared_on} rows"),
        ("largest logit difference", f"{found.max_abs:.3g}"),
        ("adapter's effect", f"{found.adapter_effect:.3g}"),
        ("mean KL, nats", f"{(certificate.cast or found).kl:.3g}"),
        ("tokens that end an answer", ", ".join(map(str, certificate.eos_token_ids)) or "none"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        "---\n" + "\n".join(head) + "\n---\n\n"
        f"# {certificate.run_id}\n\n"
        "Trained on private conversations: keep it as private as they are.\n\n"
        f"## Lineage\n\n| | |\n|---|---|\n{table}\n\n"
        "`merge_certificate.json` holds the sha256 of each file and all figures.\n"
    )
