"""A plan as files of other programs: each says the plan's numbers, or README.txt says it does not.

What is checked by those programs' own code runs where somebody made them importable or named an
interpreter that has them; docs/several-gpus.md says how, and what came out.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from train_ground import small_version, tiny_base
from typer.testing import CliRunner

from dataset.export.trainer_settings import Steps, TrainerSettings
from dataset.export.write import export_version
from dataset.manifest import open_version
from ingest.errors import SpecError
from ingest.workspace import Workspace
from train.gpus import find_card
from train.launchers.export import ExportLauncher, PlanExportError, readme_text
from train.launchers.export_accelerate import accelerate_configs, sharding
from train.launchers.export_cloud import rented
from train.launchers.export_settings import settings_of
from train.launchers.export_yaml import toml_text, yaml_text
from train.plan import PeakUse, TrainPlan, read_plan
from train.record import RunRecord, read_record
from train.run import plan_run, start_run
from train.spec import HeldOutSpec, LoraSpec, TrainSpec, load_train_spec

pytestmark = pytest.mark.torch


class Exported(NamedTuple):
    out: Path
    plan: TrainPlan
    record: RunRecord
    spec: TrainSpec
    workspace: Workspace


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    home = tmp_path_factory.mktemp("home")
    workspace, base = Workspace(home), tiny_base(home / "base")
    small_version(workspace)
    spec = TrainSpec(
        dataset="support@latest", base_model=str(base), processes=2, effective_batch=8,
        micro_batch=2, quantization="nf4", optimiser="paged_adamw_8bit", learning_rate=1e-5,
        lora=LoraSpec(r=8, alpha=24, dropout=0.1, rslora=True, dora=True, targets=["q_proj"]),
        checkpointing=True, max_length=48, seed=3, save_every_steps=2, keep_checkpoints=5,
        held_out=HeldOutSpec(stop_after=3), train_on="last", epochs=3.0,
    )  # fmt: skip
    out, device = home / "out", find_card("A100 80GB").device()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_secret")
        record = start_run(spec, workspace, launcher="export", run_id="r1", device=device, out=out)
    return Exported(out, record.plan, record, spec, workspace)


def loaded(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())


def test_nothing_is_started(exported: Exported) -> None:
    assert exported.record.state == "planned"
    assert read_record(exported.plan.run_dir) == exported.record
    assert read_plan(exported.plan.run_dir / "plan.json") == exported.plan
    assert not (exported.plan.run_dir / "checkpoints").exists()


def test_every_file_is_there_and_holds_no_secret(exported: Exported) -> None:
    files = {one.relative_to(exported.out).as_posix() for one in exported.out.rglob("*.*")}
    assert files >= {
        "README.txt", "train.toml", "skypilot.yaml", "dstack.yml", "dataset/manifest.json",
        "accelerate/ddp.yaml", "accelerate/fsdp2.yaml", "accelerate/zero2.yaml",
        "accelerate/zero3.yaml", "axolotl/config.yaml", "axolotl/train.jsonl",
        "llama-factory/train.yaml", "llama-factory/dataset_info.json",
    }  # fmt: skip
    for one in exported.out.rglob("*.*"):
        assert b"hf_secret" not in one.read_bytes()
    assert exported.out.stat().st_mode & 0o077 == 0


def test_axolotls_config_has_the_numbers_of_the_plan(exported: Exported) -> None:
    made, plan = loaded(exported.out / "axolotl/config.yaml"), exported.plan
    wanted = {
        "micro_batch_size": 2, "gradient_accumulation_steps": 2, "max_steps": plan.steps,
        "warmup_steps": plan.warmup_steps, "learning_rate": 1e-5, "lr_scheduler": "cosine",
        "optimizer": "paged_adamw_8bit", "seed": 3, "sequence_len": 48, "adapter": "qlora",
        "load_in_4bit": True, "lora_r": 8, "lora_alpha": 24, "lora_dropout": 0.1,
        "lora_target_modules": ["q_proj"], "peft_use_rslora": True, "peft_use_dora": True,
        "bf16": True, "gradient_checkpointing": True, "save_steps": 2, "save_total_limit": 5,
        "eval_steps": 2, "early_stopping_patience": 3, "load_best_model_at_end": True,
        "sample_packing": False, "excess_length_strategy": "drop", "weight_decay": 0.0,
        "max_grad_norm": 1.0,
    }  # fmt: skip
    assert made | wanted == made
    assert made["micro_batch_size"] * made["gradient_accumulation_steps"] * 2 == 8


def test_llama_factorys_config_has_the_numbers_of_the_plan(exported: Exported) -> None:
    made, plan = loaded(exported.out / "llama-factory/train.yaml"), exported.plan
    wanted = {
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2,
        "max_steps": plan.steps, "warmup_steps": plan.warmup_steps, "learning_rate": 1e-5,
        "lr_scheduler_type": "cosine", "optim": "paged_adamw_8bit", "seed": 3, "cutoff_len": 48,
        "finetuning_type": "lora", "quantization_bit": 4, "quantization_type": "nf4",
        "lora_rank": 8, "lora_alpha": 24, "lora_dropout": 0.1, "lora_target": "q_proj",
        "use_rslora": True, "use_dora": True, "bf16": True,
        "disable_gradient_checkpointing": False, "save_steps": 2, "save_total_limit": 5,
        "eval_steps": 2, "early_stopping_steps": 3, "load_best_model_at_end": True,
        "mask_history": True, "train_on_prompt": False, "packing": False,
    }  # fmt: skip
    assert made | wanted == made


def test_what_a_trainer_cannot_say_stands_in_the_readme(exported: Exported) -> None:
    text = (exported.out / "README.txt").read_text()
    axolotl, _, rest = text.partition("  axolotl:")[2].partition("  llama-factory:")
    assert 'train_on = "last"' in axolotl
    assert "dropped instead of cut" in axolotl
    assert "must be set: train.yaml: template" in rest
    assert "train_reasoning" not in text
    silent = exported.spec.model_copy(update={"train_reasoning": False})
    told = readme_text(exported.plan, silent, {}, exported.out)
    assert "train_reasoning = false: reasoning WOULD BE TRAINED" in told


def test_the_spec_elsewhere_plans_the_same_run(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # beside the folder, as README.txt says, lies the base
    monkeypatch.chdir(exported.out)
    spec = load_train_spec(Path("train.toml"))
    assert (spec.base_model, spec.dataset) == ("../base", "./dataset")
    device = find_card("A100 80GB").device()
    made, _ = plan_run(spec, Workspace(tmp_path), run_id="r2", run_dir=tmp_path, device=device)
    same = {
        "micro_batch", "grad_accumulation", "processes", "max_length", "steps", "tokens", "lora",
        "trained_tokens", "checkpointing", "quantization", "optimiser", "precision", "packing",
        "learning_rate", "warmup_steps", "save_every_steps", "held_out", "seed", "train_on",
    }  # fmt: skip
    assert made.model_dump(include=same) == exported.plan.model_dump(include=same)


@pytest.mark.parametrize(
    ("kind", "distributed"),
    [("ddp", "MULTI_GPU"), ("fsdp2", "FSDP"), ("zero2", "DEEPSPEED"), ("zero3", "DEEPSPEED")],
)
def test_accelerate_takes_each_config(exported: Exported, kind: str, distributed: str) -> None:
    from accelerate.commands.config.config_args import ClusterConfig

    file = exported.out / "accelerate" / f"{kind}.yaml"
    made = ClusterConfig.from_yaml_file(str(file))
    assert made.distributed_type.value == distributed
    assert made.num_processes == 2
    assert made.mixed_precision == "bf16"


def test_accelerates_launcher_knows_every_word_of_fsdp_and_deepspeed(exported: Exported) -> None:
    from accelerate.commands.launch import launch_command_parser

    known = {action.dest for action in launch_command_parser()._actions}
    for kind, part in (("fsdp2", "fsdp_config"), ("zero2", "deepspeed_config"),
                       ("zero3", "deepspeed_config")):  # fmt: skip
        made = loaded(exported.out / "accelerate" / f"{kind}.yaml")
        assert made[part].keys() <= known
    assert loaded(exported.out / "accelerate/zero3.yaml")["deepspeed_config"] | {
        "zero_stage": 3, "gradient_accumulation_steps": 2,
    } == loaded(exported.out / "accelerate/zero3.yaml")["deepspeed_config"]  # fmt: skip


def peak(gib: float, memory: float, **parts: float) -> PeakUse:
    return PeakUse(peak_gib=gib, parts_gib=parts, expected_error=0.05, basis="", memory_gib=memory,
                   fits=gib * 1.05 <= memory)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (None, "ddp"),
        (peak(20, 80, weights=16.0), "ddp"),
        (peak(100, 80, weights=30.0, gradients=10.0, optimiser=60.0), "zero2"),
        (peak(100, 80, weights=95.0, gradients=1.0, optimiser=2.0), "fsdp2"),
    ],
)
def test_the_base_is_sharded_where_it_does_not_fit(exported, found, wanted):
    assert sharding(exported.plan.model_copy(update={"peak": found})) == wanted


def test_an_int8_base_is_not_said_to_be_shardable(exported: Exported) -> None:
    plan = exported.plan.model_copy(update={"quantization": "int8"})
    texts = accelerate_configs(plan)
    assert "cannot be sharded" in texts["fsdp2"]
    assert "cannot be sharded" not in texts["ddp"]


def test_a_rented_machine_has_the_planned_cards(exported: Exported) -> None:
    sky, dstack = loaded(exported.out / "skypilot.yaml"), loaded(exported.out / "dstack.yml")
    assert sky["resources"]["accelerators"] == "A100-80GB:2"
    assert dstack["resources"]["gpu"] == {"name": "A100", "memory": "80GB", "count": 2}
    hours = rented(exported.plan).hours
    assert f"timeout {hours}h turnmill train train.toml" in sky["run"]
    assert dstack["max_duration"] == f"{hours}h"


def test_without_a_planned_card_the_smallest_that_takes_the_peak_is_rented(exported) -> None:
    cpu = exported.plan.device.model_copy(update={"kind": "cpu"})
    plan = exported.plan.model_copy(update={"device": cpu, "peak": peak(30, 64)})
    assert rented(plan).card.memory_gib >= 30 * 1.05
    assert rented(plan).card.memory_gib < 35
    assert rented(plan.model_copy(update={"peak": None})).card.nominal == 80


def test_a_version_that_no_trainer_takes_is_exported_all_the_same(exported, tmp_path) -> None:
    # a system message in the middle: Axolotl takes it, LLaMA-Factory does not
    from train_ground import message, seal_version

    from train.run import prepare_run

    workspace = Workspace(tmp_path)
    talk = [message("user", "a"), message("assistant", "b"), message("system", "c"),
            message("user", "d"), message("assistant", "e")]  # fmt: skip
    seal_version(workspace, {"train": [talk] * 4})
    spec = exported.spec.model_copy(update={"quantization": "none", "optimiser": "adamw"})
    plan = prepare_run(spec, workspace, run_id="r1")
    record = ExportLauncher(tmp_path / "out", spec).launch(plan, lambda _: None)
    assert record.state == "planned"
    assert (tmp_path / "out/axolotl/config.yaml").exists()
    assert not (tmp_path / "out/llama-factory").exists()
    assert (
        "llama-factory: NOT WRITTEN. no conversation" in (tmp_path / "out/README.txt").read_text()
    )


def test_a_folder_that_is_not_empty_is_refused(exported: Exported) -> None:
    with pytest.raises(PlanExportError, match="not empty"):
        start_run(exported.spec, exported.workspace, launcher="export", out=exported.out)


def test_export_needs_a_folder_and_others_take_none(exported: Exported) -> None:
    with pytest.raises(SpecError, match="makes a folder from a spec"):
        start_run(exported.spec, exported.workspace, launcher="export")
    with pytest.raises(SpecError, match="takes no card and no folder"):
        start_run(exported.spec, exported.workspace, out=exported.out / "more")


def test_the_command_prints_what_it_wrote(exported: Exported, tmp_path: Path) -> None:
    from serve.cli import app

    spec = tmp_path / "train.toml"
    spec.write_text(f'dataset = "support@latest"\nbase_model = "{exported.spec.base_model}"\n')
    arguments = ["train", str(spec), "--launcher", "export", "--out", str(tmp_path / "out"),
                 "--home", str(exported.workspace.home), "--json"]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["state"] == "planned"
    assert {"README.txt", "axolotl/config.yaml", "skypilot.yaml"} <= set(told["files"])
    # planned for this machine: no GPU, so nothing of bitsandbytes
    assert loaded(tmp_path / "out/axolotl/config.yaml")["bf16"] is False
    assert loaded(tmp_path / "out/accelerate/ddp.yaml")["use_cpu"] is True


VALUES = {
    "text": 'a "quoted": #word', "word": "yes", "number": "1e3", "lines": "one\n\n  two\n",
    "float": 1e-5, "large": 2.5e20, "int": 3, "flag": False, "list": ["a: b", 1, 0.1],
    "empty": {}, "none_of_it": [], "inner": {"x": "y", "flag": True},
}  # fmt: skip


def test_yaml_and_toml_say_what_they_were_given():
    head = "a comment: of\n\ntwo lines"
    values = {**VALUES, "none": None}
    assert yaml.safe_load(yaml_text(values, head=head)) == values
    # TOML has no word for none
    assert tomllib.loads(toml_text(values, head=head)) == VALUES


SETTINGS = [
    TrainerSettings(),
    TrainerSettings(method="full", quantization=None, optimiser="adamw_8bit", bf16=True),
    TrainerSettings(
        base_revision="main", targets=("q_proj", "v_proj"), dora=True, too_long="raise"
    ),
    TrainerSettings(quantization="nf4", rslora=True, packing=True, learning_rate=1e-5),
    TrainerSettings(train_on="all", checkpointing=False, bf16=False, quantization=None),
    TrainerSettings(train_on="last", too_long="drop", steps=Steps(40, 2, 10, 3, 5, 2, True)),
]


def written(exported: Exported, name: str, settings: TrainerSettings, out: Path) -> dict[str, Any]:
    version = open_version(exported.plan.dataset.path)
    export_version(version, name, out, base_model="acme/mill", settings=settings)
    return loaded(out / ("config.yaml" if name == "axolotl" else "train.yaml"))


def without(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not importable: docs/several-gpus.md")


@without("axolotl")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [*SETTINGS, None])
def test_axolotls_own_validation_accepts_it(exported, settings, tmp_path, monkeypatch):
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    made = written(exported, "axolotl", settings or settings_of(exported.plan), tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    assert made.keys() <= AxolotlInputConfig.model_fields.keys()
    validate_config(
        DictDefault(made),
        capabilities={"bf16": True, "n_gpu": 2, "compute_capability": "sm_90"},
        env_capabilities={"torch_version": "2.13.0"},
    )


@without("llamafactory")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [*SETTINGS, None])
def test_llama_factorys_own_parser_accepts_it(exported, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    from llamafactory.hparams import get_train_args

    made = written(
        exported, "llama-factory", settings or settings_of(exported.plan), tmp_path / "out"
    )
    monkeypatch.chdir(tmp_path / "out")
    # bf16 asks for a GPU unless the CPU is meant
    _, data, training, finetuning, _ = get_train_args({**made, "template": "qwen", "use_cpu": True})
    # it keeps one place of a pack for itself
    assert data.cutoff_len == made["cutoff_len"] - made["packing"]
    assert training.optim.value == made["optim"]
    assert finetuning.finetuning_type == made["finetuning_type"]


def interpreter(module: str) -> str:
    """A Python that has a module: ours, or the one named in ``TURNMILL_CHECK_<MODULE>``."""
    named = os.environ.get(f"TURNMILL_CHECK_{module.upper()}")
    if named is None and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not importable: docs/several-gpus.md")
    return named or sys.executable


SKY = """
import json, sys, sky
task = sky.Task.from_yaml(sys.argv[1])
(resources,) = task.resources
print(json.dumps([resources.accelerators, resources.disk_size, task.run, sorted(task.file_mounts)]))
"""
DSTACK = """
import json, sys, yaml
from dstack._internal.core.models.configurations import parse_apply_configuration
task = parse_apply_configuration(yaml.safe_load(open(sys.argv[1])))
gpu = task.resources.gpu
print(json.dumps([task.type, gpu.name, gpu.count.min, task.max_duration, len(task.files)]))
"""


def asked(python: str, program: str, file: Path) -> Any:
    # away from our packages, two of which are called as something of theirs might be
    done = subprocess.run([python, "-c", program, file.name], cwd=file.parent, capture_output=True,
                          text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_skypilot_takes_its_task(exported: Exported) -> None:
    told = asked(interpreter("sky"), SKY, exported.out / "skypilot.yaml")
    accelerators, disk, run, mounts = told
    assert accelerators == {"A100-80GB": 2}
    assert disk == rented(exported.plan).disk_gib
    assert "turnmill train train.toml" in run
    assert mounts == ["~/base", "~/turnmill/dataset", "~/turnmill/train.toml"]


def test_dstack_takes_its_task(exported: Exported) -> None:
    told = asked(interpreter("dstack"), DSTACK, exported.out / "dstack.yml")
    assert told == ["task", ["A100"], 2, 3600 * rented(exported.plan).hours, 3]
