"""What of a plan other trainers' configs can say, and what they cannot."""

from collections.abc import Iterator

from dataset.export.trainer_settings import Steps, TrainerSettings
from train.plan import TrainPlan
from train.spec import TrainSpec


def settings_of(plan: TrainPlan) -> TrainerSettings:
    """The plan's numbers, for one of its processes."""
    targets = plan.lora.targets
    return TrainerSettings(
        base_revision=plan.base.revision,
        method=plan.method,
        rank=plan.lora.r,
        alpha=plan.lora.alpha,
        dropout=plan.lora.dropout,
        targets=() if targets == "all-linear" else tuple(targets),
        rslora=plan.lora.rslora,
        dora=plan.lora.dora,
        quantization=plan.quantization,
        optimiser=plan.optimiser,
        learning_rate=plan.learning_rate,
        micro_batch=plan.micro_batch,
        accumulation=plan.grad_accumulation // plan.processes,
        max_length=plan.max_length,
        too_long="drop" if _cut(plan) else "raise",
        packing=plan.packing,
        bf16=plan.precision == "bf16",
        checkpointing=plan.checkpointing,
        seed=plan.seed,
        train_on=plan.train_on,
        steps=Steps(
            total=plan.steps,
            warmup=plan.warmup_steps,
            save_every=plan.save_every_steps,
            keep=plan.keep_checkpoints,
            judge_every=_judge_every(plan),
            stop_after=plan.held_out.stop_after if plan.eval else None,
            keep_best=plan.eval and plan.held_out.keep_best,
        ),
    )


def _cut(plan: TrainPlan) -> int:
    """Rows that are longer than the plan's length; of the train split."""
    return sum(one.rows_cut for one in plan.lengths if one.max_length == plan.max_length)


def _judge_every(plan: TrainPlan) -> int:
    every = plan.held_out.every_steps
    # a trainer that keeps the best must have a checkpoint at each loss it looks at
    if every is None or (plan.held_out.keep_best and plan.save_every_steps % every):
        return plan.save_every_steps
    return every


def beyond_all(plan: TrainPlan, spec: TrainSpec) -> Iterator[str]:
    """What no other trainer's config says: lines for a person."""
    yield "the order of rows: turnmill groups rows of like length and starts with the longest"
    yield "the heaviest batch tried first, the way down when memory runs out, a resume to the bit"
    yield f"the end after {plan.stall_s:g} s without a sign of life (stall_minutes)"
    if plan.allow_shorter:
        yield "allow_shorter: a run out of memory may go on with shorter rows"
    if not spec.train_reasoning:
        yield "train_reasoning = false: reasoning WOULD BE TRAINED there"
    if not spec.train_tool_calls:
        yield "train_tool_calls = false: tool calls WOULD BE TRAINED there"
    every = plan.held_out.every_steps
    if plan.eval and every not in {None, _judge_every(plan)}:
        yield f"held_out.every_steps = {every}: with keep_best they judge where they save"
    if plan.report_to:
        yield f"report_to = {', '.join(plan.report_to)}: their trackers are set in their own way"


def beyond_axolotl(plan: TrainPlan) -> Iterator[str]:
    """What Axolotl's config does not say of the plan."""
    if _cut(plan):
        yield f"{_cut(plan)} rows longer than {plan.max_length} tokens: dropped instead of cut"
    if plan.train_on == "last":
        yield 'train_on = "last": it trains EVERY assistant turn'


def beyond_llama_factory(plan: TrainPlan) -> Iterator[str]:
    """What LLaMA-Factory's config does not say of the plan."""
    yield "the base model's own chat template: it has templates of its own, and one must be named"
    if _cut(plan):
        yield (
            f"{_cut(plan)} rows longer than {plan.max_length} tokens: cut at a token instead of"
            " at a turn's border"
        )
    if plan.lora.targets == "all-linear" and plan.method == "lora":
        yield "all-linear by our count: lora_target: all is its own list of linear layers"
