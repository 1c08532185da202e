"""The one command line. Thin: each command imports its stage inside and prints what it returns.

Exit codes: 0 done, 1 a bug of ours, 2 the user can fix it, 3 done but something was quarantined or
a gate did not pass, 130 interrupted.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ingest.errors import UserError
from ingest.version import __version__

app = typer.Typer(
    name="turnmill",
    help="From private chat exports to an evaluated, served model.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="The workspace; default $TURNMILL_HOME or ./turnmill-home."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def _workspace(home: Path | None) -> Any:
    from ingest.settings import Settings
    from ingest.workspace import Workspace

    return Workspace(home or Settings().turnmill_home)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"turnmill {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    home: Home = None,
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", help="A Hub id or folder in place of the embedded base."),
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="Another folder of sample exports.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Run the whole path on the sample exports, offline: import to report."""
    from serve.commands.demo import run_demo
    from serve.terminal import print_json

    result = run_demo(_workspace(home), base_model=base_model, samples=samples)
    if json:
        print_json(result)


@app.command()
def formats(json: AsJson = False) -> None:
    """List the export formats that are read, and what each needs."""
    from serve.commands import exports
    from serve.terminal import print_json

    rows = exports.formats()
    print_json(rows) if json else exports.show_formats(rows)


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, zips or folders.")],
    format_name: Annotated[
        str, typer.Option("--format", help="An importer's name; auto looks at the content.")
    ] = "auto",
    as_assistant: Annotated[
        list[str] | None,
        typer.Option("--as-assistant", help="Participant whose messages are the assistant's."),
    ] = None,
    date_order: Annotated[
        str, typer.Option("--date-order", help="auto, dmy, mdy or ymd, for text exports.")
    ] = "auto",
    tz: Annotated[
        str | None, typer.Option("--tz", help="Zone of times that state none: Europe/Berlin.")
    ] = None,
    keep_raw: Annotated[
        bool,
        typer.Option("--keep-raw/--no-keep-raw", help="Keep a packed copy in the workspace."),
    ] = True,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes that read; several for a large export."),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="For any table: what a column means. Fields: role, content, thread, name, time, "
            "id, title; role:WORD=ROLE for unusual words, role:*=ROLE for all others.",
        ),
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="With --map, for SQLite: a SELECT or a table.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Store nothing; say which importer reads a file, and why."),
    ] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Import exports into the workspace's store."""
    from ingest.importers.base import ImportOptions
    from ingest.importers.mapping import mapped_format, parse_pairs
    from serve.commands import exports
    from serve.terminal import print_json

    if date_order not in ("auto", "dmy", "mdy", "ymd"):
        raise UserError(f"--date-order {date_order}: unknown", "use auto, dmy, mdy or ymd")
    options = ImportOptions(
        tuple(as_assistant or ()),
        date_order,  # type: ignore[arg-type]
        tz,
        mapping=parse_pairs(mapping) if mapping else (),
        query=query,
    )
    format_name = mapped_format(format_name, options)
    if explain:
        from serve.commands import explain as explaining

        if len(paths) > 1:
            raise UserError(f"--explain: {len(paths)} paths", "name one at a time")
        found, first = explaining.explain(paths[0], _workspace(home), format_name, options)
        print_json(found) if json else explaining.show(found, first)
        return
    report = exports.run_import(
        paths, _workspace(home), format_name, options, keep_raw=keep_raw, workers=workers
    )
    print_json(report.as_json()) if json else exports.show_import(report)
    if report.rejected:
        raise typer.Exit(3)


@app.command()
def people(
    alias: Annotated[
        str | None, typer.Option("--alias", help="A name that is another name of --of.")
    ] = None,
    of: Annotated[str | None, typer.Option("--of", help="The person whom --alias names.")] = None,
    assistant: Annotated[
        list[str] | None,
        typer.Option("--assistant", help="Somebody whose messages are the assistant's."),
    ] = None,
    not_assistant: Annotated[
        list[str] | None, typer.Option("--not-assistant", help="Somebody who is it no more.")
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """List who takes part; say who is one person, and who is the assistant in later imports."""
    from serve.commands import people as commands
    from serve.terminal import print_json

    if (alias is None) != (of is None):
        raise UserError(
            "--alias and --of belong together", "use --alias 'Other name' --of 'Name to show'"
        )
    workspace = _workspace(home)
    if alias is not None and of is not None:
        commands.alias(workspace, alias, of)
    for names, is_assistant in ((assistant, True), (not_assistant, False)):
        for name in names or ():
            commands.mark(workspace, name, is_assistant=is_assistant)
    rows = commands.listed(workspace)
    print_json(rows) if json else commands.show(rows)


@app.command()
def rejects(home: Home = None, json: AsJson = False) -> None:
    """Show the quarantine: what could not be read, where and why."""
    from serve.commands import exports
    from serve.terminal import print_json

    rows = exports.rejects(_workspace(home))
    print_json(rows) if json else exports.show_rejects(rows)


@app.command()
def conversations(
    search: Annotated[str | None, typer.Option(help="Text in a title or message.")] = None,
    importer: Annotated[str | None, typer.Option(help="Only of this importer.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only with this participant.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at the most.")] = 50,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """List stored conversations."""
    from ingest.store import Where
    from serve.commands import exports
    from serve.terminal import print_json

    where = Where(search, importer, participant)
    rows = exports.conversations(_workspace(home), where, limit)
    print_json(rows) if json else exports.show_conversations(rows)


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A conversation's id or its beginning.")],
    branches: Annotated[bool, typer.Option("--branches", help="Side branches too.")] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Show one conversation."""
    from serve.commands import exports
    from serve.terminal import print_json

    found = exports.conversation(_workspace(home), id_)
    if json:
        print_json(exports.as_json(found, branches=branches))
    else:
        exports.show_conversation(found, branches=branches)


Refs = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids or their beginnings.")
]
Search = Annotated[str | None, typer.Option("--search", help="All with this text.")]
OfImporter = Annotated[str | None, typer.Option("--importer", help="All of this importer.")]
OfParticipant = Annotated[
    str | None, typer.Option("--participant", help="All with this participant.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the journal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be.")]


def _decide(
    action: Any, refs: list[str] | None, where: Any, home: Path | None, json: bool, **more: Any
) -> None:
    from serve.commands import curation
    from serve.terminal import print_json

    done = curation.run(action, refs or (), where, _workspace(home), **more)
    print_json(curation.as_json(done)) if json else curation.show(done, dry_run=more["dry_run"])


@app.command()
def exclude(
    refs: Refs = None,
    search: Search = None,
    importer: OfImporter = None,
    participant: OfParticipant = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Keep conversations out of every version built from now on; the store keeps them."""
    from ingest.store import Where

    where = Where(search, importer, participant)
    _decide("exclude", refs, where, home, json, reason=reason, dry_run=dry_run)


@app.command()
def include(
    refs: Refs = None,
    search: Search = None,
    importer: OfImporter = None,
    participant: OfParticipant = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Let excluded conversations take part again."""
    from ingest.store import Where

    where = Where(search, importer, participant)
    _decide("include", refs, where, home, json, reason=reason, dry_run=dry_run)


@app.command()
def tag(
    refs: Refs = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be repeated.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tags off.")] = False,
    search: Search = None,
    importer: OfImporter = None,
    participant: OfParticipant = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Tag conversations, for a spec's where.tags and where.without_tags."""
    from ingest.store import Where

    where = Where(search, importer, participant)
    action = "untag" if remove else "tag"
    _decide(action, refs, where, home, json, tags=tags or (), reason=reason, dry_run=dry_run)


@app.command()
def undo(
    number: Annotated[int | None, typer.Argument(help="A decision; default the last.")] = None,
    reason: Reason = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Take back an exclude, include, tag or undo."""
    from serve.commands import curation
    from serve.terminal import print_json

    done = curation.undo(number, reason, _workspace(home))
    print_json(done) if json else curation.show_undo(done)


@app.command()
def decisions(home: Home = None, json: AsJson = False) -> None:
    """Show the journal of what was excluded, included and tagged by hand."""
    from serve.commands import curation
    from serve.terminal import print_json

    entries = curation.journal(_workspace(home))
    print_json(curation.journal_json(entries)) if json else curation.show_journal(entries)


@app.command()
def build(
    spec: Annotated[Path, typer.Argument(help="A dataset spec (TOML).")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Seal nothing; show what each step would drop or change."),
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes for the steps; the result is equal.")
    ] = 1,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Seal a dataset version from the store."""
    from serve.commands import datasets
    from serve.terminal import print_json

    if dry_run:
        found = datasets.run_preview(spec, _workspace(home))
        print_json(datasets.preview_as_json(found)) if json else datasets.show_preview(found)
        return
    version = datasets.run_build(spec, _workspace(home), workers)
    print_json(datasets.as_json(version)) if json else datasets.show_version(version)


@app.command()
def steps(json: AsJson = False) -> None:
    """List the steps that a dataset spec may name, and their options."""
    from serve.commands import steps as commands
    from serve.terminal import print_json

    found = commands.listed()
    print_json(found) if json else commands.show(found)


@app.command()
def versions(
    tainted: Annotated[
        bool,
        typer.Option(
            "--tainted", help="Only those that hold what was erased and are not rebuilt yet."
        ),
    ] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """List sealed dataset versions."""
    from serve.commands import datasets
    from serve.terminal import print_json

    if tainted:
        from serve.commands import forgetting

        standing = forgetting.tainted(_workspace(home))
        if json:
            print_json(forgetting.tainted_json(standing))
        else:
            forgetting.show_tainted(standing)
        return
    found = datasets.versions(_workspace(home))
    if json:
        print_json([datasets.as_json(version) for version in found])
    else:
        datasets.show_versions(found)


@app.command()
def forget(
    participant: Annotated[
        str | None,
        typer.Option("--participant", help="Somebody: all conversations they take part in."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="A conversation's id.")
    ] = None,
    matching: Annotated[
        str | None, typer.Option("--matching", help="A text: all conversations that hold it.")
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Erase from store and kept exports for good, block the re-import, name what still holds it."""
    from dataset.forget import Ask
    from serve.commands import forgetting
    from serve.terminal import print_json

    workspace = _workspace(home)
    report = forgetting.run(
        Ask(participant, conversation, matching), workspace, dry_run=dry_run, yes=yes
    )
    print_json(forgetting.as_json(report)) if json else forgetting.show(report, workspace)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A dataset version.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The version to compare with it.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page that needs nothing else.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            help="Changed conversations shown; default 20, on a page 500, in JSON all.",
        ),
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Compare two dataset versions: conversations, messages, splits, rules, what steps did."""
    from serve.commands import diff as commands
    from serve.terminal import note, safe

    found = commands.run(before, after, _workspace(home))
    if html is not None:
        commands.write_page(found, html, limit)
        note(f"written: {safe(html)}")
    if json:
        commands.print_as_json(found, limit)
    elif html is None:
        commands.show(found, limit)


@app.command()
def export(
    ref: Annotated[str, typer.Argument(metavar="VERSION", help="A dataset version.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format", help="openai, sharegpt, alpaca, axolotl, llama-factory or parquet."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    lossy: Annotated[
        list[str] | None,
        typer.Option(
            "--lossy",
            metavar="NAME",
            help="What the format cannot say and may be lost: tail, train, reasoning, text, tools.",
        ),
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", help="For the trainer's config: a Hub id or folder."),
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Write a dataset version in the shape that another tool reads, its config beside it."""
    from serve.commands import outward
    from serve.terminal import print_json

    done = outward.run_export(
        ref, _workspace(home), format_name, out, lossy=lossy or (), base_model=base_model
    )
    print_json(outward.as_json(done)) if json else outward.show(done, out)
    if done.refused:
        raise typer.Exit(3)


TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the Hub's token; else HF_TOKEN, else hf auth."),
]


@app.command()
def push(
    version: Annotated[str, typer.Argument(help="A version: name, name@fingerprint or folder.")],
    repo: Annotated[
        str, typer.Option("--repo", metavar="ORG/NAME", help="The dataset repository.")
    ],
    public: Annotated[
        bool, typer.Option("--public", help="Everybody may read it; only what redact-check passes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")
    ] = False,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Conversations that the card shows.")
    ] = 0,
    token_file: TokenFile = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Publish a version to a private repository on the Hugging Face Hub, tag = fingerprint."""
    from serve.commands import hub
    from serve.terminal import print_json

    report = hub.run_push(
        version,
        _workspace(home),
        repo,
        token_file=token_file,
        public=public,
        dry_run=dry_run,
        samples=samples,
    )
    print_json(report.as_json()) if json else hub.show_push(report)


@app.command("push-model")
def push_model(
    model: Annotated[str, typer.Argument(help="A merged model: name or folder.")],
    repo: Annotated[str, typer.Option("--repo", metavar="ORG/NAME", help="The model repository.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")
    ] = False,
    token_file: TokenFile = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Publish a certified model to a private repository on the Hub, tag = the run's id."""
    from serve.commands import hub
    from serve.terminal import print_json

    report = hub.run_push_model(
        model, _workspace(home), repo, token_file=token_file, dry_run=dry_run
    )
    print_json(report.as_json()) if json else hub.show_push(report)


@app.command()
def pull(
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="The dataset repository.")],
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="A fingerprint or its beginning, a branch or a commit."),
    ] = None,
    token_file: TokenFile = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Fetch a published version, check it down to its rows and seal it here."""
    from serve.commands import hub
    from serve.terminal import print_json

    report = hub.run_pull(repo, _workspace(home), revision=revision, token_file=token_file)
    print_json(report.as_json()) if json else hub.show_pull(report)


@app.command("redact-check")
def redact_check(
    version: Annotated[str, typer.Argument(help="NAME, NAME@latest, NAME@HASH or a folder.")],
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Look once more through a sealed version for secrets, contacts and participants' names."""
    from serve.commands import redaction
    from serve.terminal import print_json

    sealed, report = redaction.check(version, _workspace(home))
    print_json(redaction.as_json(sealed, report)) if json else redaction.show(sealed, report)
    if not report.clean:
        raise typer.Exit(3)


@app.command()
def lineage(
    ref: Annotated[str, typer.Argument(help="A conversation, version, run, model or evaluation.")],
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Print the chain of hashes that a thing stands in, from source to evaluation."""
    from serve.commands import datasets
    from serve.lineage import lineage as chain_of
    from serve.terminal import print_json

    chain = chain_of(ref, _workspace(home))
    print_json(chain) if json else datasets.show_lineage(chain)


@app.command()
def mask(
    source: Annotated[str, typer.Argument(help="A version, or a JSON lines file with messages.")],
    tokenizer: Annotated[str, typer.Option("--tokenizer", help="A folder or Hub id.")],
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Conversations at the most; 1, or 50 on a page."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Of a version: train, validation or test.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page to this file instead.")
    ] = None,
    color: Annotated[
        str, typer.Option("--color", help="auto (on a terminal, not with NO_COLOR), always, never.")
    ] = "auto",
    train_on: Annotated[
        str, typer.Option("--train-on", help="What is trained: assistant, last or all.")
    ] = "assistant",
    reasoning: Annotated[
        bool,
        typer.Option(
            "--train-reasoning/--no-train-reasoning", help="Whether its thoughts are trained."
        ),
    ] = True,
    tool_calls: Annotated[
        bool,
        typer.Option(
            "--train-tool-calls/--no-train-tool-calls", help="Whether its tool calls are trained."
        ),
    ] = True,
    max_length: Annotated[
        int | None, typer.Option("--max-length", min=1, help="Show what lies beyond as cut off.")
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Show each row that is trained, in place of the whole.")
    ] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Show which tokens are trained: in colour, as JSON, or as a page to keep."""
    from serve.commands import masks
    from serve.terminal import print_json

    colors = masks.color_of(color)
    policy = masks.policy_of(train_on, reasoning=reasoning, tool_calls=tool_calls)
    views = masks.views(
        source, tokenizer, _workspace(home), limit or (50 if html else 1), split=split,
        policy=policy, max_length=max_length, rows=rows,
    )  # fmt: skip
    if html:
        masks.write_page(html, views, title=source, tokenizer=tokenizer)
    if json:
        print_json([view.as_json() for view in views])
    elif not html:
        masks.show(views, color=colors)
    if any(view.refused for view in views):
        raise typer.Exit(3)


@app.command("check-template")
def check_template(
    tokenizer: Annotated[str, typer.Option("--tokenizer", help="A folder or Hub id.")],
    template: Annotated[
        Path | None,
        typer.Option("--template", help="A Jinja file in place of the tokenizer's own template."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Try a chat template with probe conversations: is it trained exactly, and why not."""
    from serve.commands import verdicts
    from serve.terminal import print_json

    verdict = verdicts.check(tokenizer, template)
    print_json(verdicts.as_json(verdict)) if json else verdicts.show(verdict)
    if verdict.verdict != "exact":
        raise typer.Exit(3)


@app.command()
def plan(
    spec: Annotated[Path, typer.Argument(help="A training spec (TOML).")],
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory", min=0, help="GiB the device has: does the run fit, and if not, why."
        ),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", help="Plan for a card, such as H100, 'RTX 4090', 'A100 40GB'."),
    ] = None,
    usd_per_hour: Annotated[
        float | None,
        typer.Option("--usd-per-hour", min=0, help="Price of the device, for what the run costs."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say in plain words what each number is and why.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the plan as a page that needs nothing else."),
    ] = None,
    launcher: Annotated[
        str,
        typer.Option("--launcher", help="With runpod: the three best cards on offer there now."),
    ] = "local",
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Resolve every number of a training run, its peak memory too; start nothing."""
    from serve.commands import plans
    from serve.terminal import print_json

    if launcher == "runpod":
        plans.plan_rented(spec, _workspace(home), explain=explain, html=html, json=json)
        return
    resolved = plans.plan(
        spec, _workspace(home), gpu=gpu, memory_gib=memory, usd_per_hour=usd_per_hour
    )
    if html is not None:
        plans.write_page(html, resolved)
    print_json(plans.plan_json(resolved)) if json else plans.show_plan(resolved, explain=explain)


@app.command()
def train(
    spec: Annotated[Path | None, typer.Argument(help="A training spec (TOML).")] = None,
    launcher: Annotated[
        str,
        typer.Option(
            "--launcher",
            help="Where it runs: local; runpod: a rented pod; export: only writes files, to --out.",
        ),
    ] = "local",
    resume: Annotated[str | None, typer.Option("--resume", help="A run to go on with.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With export: folder for other programs' files of the plan."),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", help="With export: the card to plan for, such as H100.")
    ] = None,
    memory_limit: Annotated[
        float | None,
        typer.Option(
            "--memory-limit", min=0, help="GiB that the run may hold of the device's memory."
        ),
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Train an adapter on a sealed version."""
    from serve.commands import runs as commands
    from serve.terminal import print_json

    record = commands.train(
        spec,
        _workspace(home),
        launcher=launcher,
        resume=resume,
        out=out,
        gpu=gpu,
        memory_limit_gib=memory_limit,
    )
    if out is not None:
        exported = commands.exported_json(record, out)
        print_json(exported) if json else commands.show_exported(exported)
        return
    print_json(commands.record_json(record)) if json else commands.show_record(record)


@app.command()
def runs(home: Home = None, json: AsJson = False) -> None:
    """List training runs."""
    from serve.commands import runs as commands
    from serve.terminal import print_json

    rows = commands.list_all(_workspace(home))
    print_json(rows) if json else commands.show_all(rows)


@app.command()
def attach(
    run: Annotated[str, typer.Argument(help="A run on RunPod: id, its beginning, or latest.")],
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Follow a run on RunPod from where it is; Ctrl-C lets go, and the pod goes on."""
    from serve.commands import pods, runs
    from serve.terminal import print_json

    record = runs.finished(pods.attach(run, _workspace(home)))
    print_json(runs.record_json(record)) if json else runs.show_record(record)


@app.command()
def reap(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be ended.")] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """End pods of this workspace on RunPod that should not be there any more."""
    from serve.commands import pods
    from serve.terminal import print_json

    with pods.account(_workspace(home)) as account:
        found = pods.reaped(account, dry_run=dry_run)
    print_json(pods.reaped_json(found)) if json else pods.show_reaped(found)


@app.command()
def costs(home: Home = None, json: AsJson = False) -> None:
    """What pods on RunPod cost: this workspace's journal beside RunPod's bills."""
    from serve.commands import pods
    from serve.terminal import print_json

    with pods.account(_workspace(home)) as account:
        pods.reaped(account)
        found = pods.costs(account)
    print_json(found) if json else pods.show_costs(found)


@app.command()
def merge(
    run: Annotated[str, typer.Argument(help="A finished run.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the merged model.")] = None,
    dtype: Annotated[
        Literal["base", "fp32", "bf16", "fp16"],
        typer.Option("--dtype", help="Of the stored weights, cast once; base: as the base's."),
    ] = "base",
    onto: Annotated[
        Literal["trained", "original"],
        typer.Option("--onto", help="A quantised base: as it was trained on, or as it was before."),
    ] = "trained",
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Merge a run's adapter into its base and prove that the result is the same model."""
    from serve.commands import runs as commands
    from serve.terminal import print_json

    certificate = commands.merge(run, _workspace(home), out, dtype=dtype, onto=onto)
    print_json(certificate) if json else commands.show_certificate(certificate)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A merged model: name or folder.")],
    on: Annotated[str, typer.Option("--on", help="The dataset version to judge it on.")],
    base: Annotated[
        str | None, typer.Option("--base", help="Compare with this; default its own base.")
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Judge a merged model against its base on held-out conversations."""
    from serve.commands import evaluations
    from serve.terminal import print_json

    result = evaluations.evaluate(model, _workspace(home), on=on, base=base)
    print_json(result.as_json()) if json else evaluations.show(result)


@app.command()
def serve(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A merged model: name, folder, or NAME=FOLDER."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", help="File with the key clients must send.")
    ] = None,
    home: Home = None,
) -> None:
    """Serve models through an OpenAI-style API."""
    from serve.commands import serving

    serving.serve(model or [], _workspace(home), host=host, port=port, api_key_file=api_key_file)


hooks = typer.Typer()
app.add_typer(hooks, name="hooks")


@hooks.callback(invoke_without_command=True)
def _hooks(context: typer.Context, home: Home = None, json: AsJson = False) -> None:
    """List the hooks of turnmill.toml and check them; deliveries, replay, test and flush."""
    if context.invoked_subcommand is not None:
        if home is not None or json:  # it would be another workspace without a word
            raise UserError(
                "--home and --json stand after the command",
                f"turnmill hooks {context.invoked_subcommand} --home DIR",
            )
        return
    from serve.commands import hooks as commands
    from serve.terminal import print_json

    workspace = _workspace(home)
    rows = commands.listed(workspace)
    print_json(rows) if json else commands.show(rows, workspace)
    if any(row["problem"] for row in rows):
        raise typer.Exit(3)


def _show_deliveries(rows: list[dict[str, Any]], json: bool) -> None:
    from serve.commands import hooks as commands
    from serve.terminal import print_json

    print_json(rows) if json else commands.show_deliveries(rows)


@hooks.command("deliveries")
def hooks_deliveries(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at the most.")] = 20,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """List what was told to which hook, the last first, with each attempt."""
    from serve.commands import hooks as commands

    _show_deliveries(commands.deliveries(_workspace(home), limit), json)


@hooks.command("replay")
def hooks_replay(
    event: Annotated[str, typer.Argument(metavar="ID", help="An event's id or its beginning.")],
    hook: Annotated[
        str | None, typer.Option("--hook", help="Only to this hook; default to all it was for.")
    ] = None,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Deliver an event again, under the same id."""
    from serve.commands import hooks as commands

    rows = commands.replay(event, hook, _workspace(home))
    _show_deliveries(rows, json)
    if commands.failed(rows):
        raise typer.Exit(3)


@hooks.command("test")
def hooks_test(
    name: Annotated[str, typer.Argument(help="A hook's name.")],
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Send a hook a ping: a real POST or command; a training is only checked."""
    from serve.commands import hooks as commands

    row = commands.test(name, _workspace(home))
    _show_deliveries([row], json)
    if commands.failed([row]):
        raise typer.Exit(3)


@hooks.command("flush")
def hooks_flush(
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to stay for what becomes due.")
    ] = 0.0,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Try what is due; for cron, and after a crash."""
    from serve.commands import hooks as commands

    rows = commands.flush(_workspace(home), wait)
    _show_deliveries(rows, json)
    if commands.failed(rows):
        raise typer.Exit(3)


@app.command()
def doctor(home: Home = None, json: AsJson = False) -> None:
    """Check the installation, devices, tokens and disk."""
    from serve.commands import doctor as commands
    from serve.terminal import print_json

    checks = commands.run(_workspace(home))
    print_json(checks) if json else commands.show(checks)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(3)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    from typer.exceptions import TyperException

    try:
        result = app(arguments or ["--help"], standalone_mode=False, prog_name="turnmill")
    except UserError as error:
        from serve.terminal import print_error

        print_error(error)
        return 2
    except TyperException as error:  # a wrong flag or argument
        from serve.terminal import print_error

        hint = "see 'turnmill --help', or '--help' after the command"
        print_error(UserError(error.format_message(), hint))
        return 2
    except SystemExit:  # whoever reads our output has enough of it
        return 141
    except KeyboardInterrupt as stopped:
        if stopped.args:  # what goes on elsewhere has said how it is followed
            return 130
        result = 130
    if result == 130:
        from serve.terminal import note

        note("interrupted; run the same command again to go on")
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
