import errno
import json
import os
import resource
import stat
import subprocess
import sys
import time

import pytest
import torch
from train_ground import small_spec, small_version, stop_after, tiny_base, trained

from ingest.errors import UserError
from train.checkpoints import DiskError, latest
from train.device import Device
from train.events import Events
from train.failures import BusyError, DataError, class_of, is_out_of_memory
from train.guards import CardError, Held, disk_needed, others_on, require_disk, require_free_card
from train.host_memory import oom_kills
from train.launchers import local
from train.launchers.local import LocalLauncher, environment
from train.plan import PeakUse
from train.processes import lives, lock, this_process
from train.pulse import Pulse
from train.record import open_run, read_record, settled_record
from train.run import prepare_run
from train.sft import run

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def plan(workspace, base):
    small_version(workspace)
    return prepare_run(small_spec(base), workspace, run_id="r1")


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    # a new file: the old one may be linked from elsewhere
    file.unlink()
    file.write_bytes(content)


def gone():
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        pass
    return this_process().model_copy(update={"pid": process.pid})


def left_running(plan, process):
    record = read_record(plan.run_dir).entered("running", process=process)
    return record.write(plan.run_dir)


def test_a_process_lives_until_it_has_ended_and_is_not_taken_for_another_of_its_number():
    assert lives(this_process()) is True
    assert lives(gone()) is False
    later = this_process().model_copy(update={"started": "1"})
    assert lives(later) is False
    elsewhere = this_process().model_copy(update={"boot": "another"})
    assert lives(elsewhere) is None


def test_a_run_whose_process_is_gone_has_failed_once_somebody_looks(plan, workspace):
    left_running(plan, gone())
    record = open_run("r1", workspace)
    assert (record.state, record.failure.kind) == ("failed", "killed")
    assert "--resume r1" in record.failure.advice
    assert read_record(plan.run_dir) == record


def test_a_run_whose_process_lives_is_running(plan, workspace):
    left_running(plan, this_process())
    assert open_run("r1", workspace).state == "running"


def test_a_run_of_another_machine_is_left_as_it_is_told(plan, workspace):
    elsewhere = this_process().model_copy(update={"boot": "another"})
    before = left_running(plan, elsewhere)
    assert settled_record(plan.run_dir) == before
    # the lock was made here: the machine has been started anew since
    with lock(plan.run_dir):
        assert settled_record(plan.run_dir) == before
    assert settled_record(plan.run_dir).failure.kind == "killed"


def test_of_two_that_go_on_with_a_run_the_second_is_refused(plan):
    left_running(plan, this_process())
    with lock(plan.run_dir) as held:
        assert held is not None
        with pytest.raises(BusyError, match=f"process {os.getpid()} is doing this run"):
            LocalLauncher().launch(plan, lambda event: None)
        done = subprocess.run(
            [sys.executable, "-m", "train.sft", str(plan.run_dir / "plan.json")],
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == local.BUSY
    assert json.loads(done.stdout)["event"] == "busy"
    assert read_record(plan.run_dir).state == "running"


def program(text):
    """The launcher's program replaced by a real one of a few lines."""
    return lambda plan: ["-c", text]


def test_a_program_without_a_sign_of_life_is_ended_and_leaves_its_stacks(plan, monkeypatch):
    text = (
        "import faulthandler, signal, time\n"
        "faulthandler.register(signal.SIGUSR1, all_threads=True)\n"
        "def where_it_hangs(): time.sleep(600)\n"
        'print(\'{"event":"heartbeat","doing":"saving"}\', flush=True)\n'
        "where_it_hangs()\n"
    )
    monkeypatch.setattr(local, "program", program(text))
    started = time.monotonic()
    record = LocalLauncher().launch(plan.model_copy(update={"stall_s": 1.0}), lambda event: None)
    assert time.monotonic() - started < 60
    assert (record.state, record.failure.kind) == ("failed", "stall")
    assert "after 'saving'" in record.failure.message
    assert "where_it_hangs" in (plan.run_dir / "log.txt").read_text()


def test_a_killed_program_whose_group_the_kernel_relieved_ran_out_of_host_memory(plan, monkeypatch):
    text = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(local, "program", program(text))
    record = LocalLauncher().launch(plan, lambda event: None)
    assert record.failure.kind == "killed"
    assert "not known" in record.failure.message
    counts = iter([3, 4])
    monkeypatch.setattr(local, "oom_kills", lambda: next(counts))
    record = LocalLauncher().launch(plan, lambda event: None)
    assert record.failure.kind == "host-memory"


@pytest.mark.parametrize(
    ("line", "file", "content"),
    [
        ("0::/job", "sys/fs/cgroup/job/memory.events", "low 0\noom 7\noom_kill 2\n"),
        ("4:memory:/job", "sys/fs/cgroup/memory/job/memory.oom_control", "under_oom 0\noom_kill 2"),
        ("0::/of/the/host", "sys/fs/cgroup/memory.events", "oom_kill 2\n"),
    ],
)
def test_the_kernels_count_of_processes_ended_for_memory(tmp_path, line, file, content):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(line + "\n")
    assert oom_kills(tmp_path) is None
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(content)
    assert oom_kills(tmp_path) == 2


def test_a_listener_that_goes_does_not_end_the_run(plan):
    command = [sys.executable, "-m", "train.sft", str(plan.run_dir / "plan.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=240)
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 0
    assert read_record(plan.run_dir).state == "succeeded"


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(plan):
    trained(plan, stop_after(8))
    flip(plan.run_dir / "checkpoints/checkpoint-8/optimizer.pt")
    record, events = trained(plan)
    assert events[0] == {"event": "checkpoint_damaged", "checkpoint": "checkpoint-8"}
    assert events[1]["from_step"] == 4
    assert record.state == "succeeded"


@pytest.mark.parametrize("of", ["sealed", "rendered"])
def test_damaged_data_is_a_failure_of_data(plan, of):
    folder = plan.dataset.path / "data" if of == "sealed" else plan.run_dir / "rendered"
    flip(next(folder.glob("train*.parquet")))
    record, _ = trained(plan)
    assert (record.state, record.failure.kind) == ("failed", "data")


def test_a_poisoned_weight_is_told_as_a_loss_that_is_no_number(plan):
    trained(plan, stop_after(4))
    from safetensors.torch import load_file, save_file

    from ingest.files import read_json, sha256_file, write_json

    (folder, _) = latest(plan.run_dir / "checkpoints")
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    next(iter(weights.values()))[0] = float("nan")
    save_file(weights, file)
    seal = read_json(folder / "checkpoint.json")
    seal["files"][file.name] = sha256_file(file)
    write_json(folder / "checkpoint.json", seal)
    record, _ = trained(plan)
    assert (record.state, record.failure.kind) == ("failed", "nan")
    assert "lower learning_rate" in record.failure.advice


def test_a_full_disk_is_told_in_the_record_too(plan):
    def full(event):
        if event["event"] == "step" and event["step"] == 6:
            raise OSError(errno.ENOSPC, "No space left on device")

    record = run(plan, full, lambda: False)
    assert record.failure.kind == "disk"
    assert read_record(plan.run_dir) == record
    assert not (plan.run_dir / ".reserve").exists()
    assert trained(plan)[0].state == "succeeded"


def test_a_line_that_finds_no_room_leaves_no_half_of_itself(tmp_path):
    file = tmp_path / "metrics.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with file.open("ab", buffering=0) as log:
        told = Events(log)
        told({"event": "start"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                told({"event": "step", "text": "x" * 100})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        told({"event": "error"})
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == [
        "start", "error",
    ]  # fmt: skip


def test_too_little_disk_is_refused_with_what_is_needed_and_free(plan):
    model = torch.nn.Linear(1000, 1000, bias=False)
    needed = sum(disk_needed(plan, 4_000_000, 1_000_000).values())
    # weights and both states in each checkpoint, one more than is kept
    assert needed > 3 * 12_000_000
    require_disk(plan, model, free=needed)
    with pytest.raises(DiskError, match=r"about 0\.\d\d GiB are needed .*0\.00 are free") as caught:
        require_disk(plan, model, free=1000)
    assert "keep_checkpoints" in caught.value.hint


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """An ``nvidia-smi`` on the PATH that answers with a text."""

    def answers(text, status=0):
        file = tmp_path / "nvidia-smi"
        file.write_text(
            f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\ncat <<'X'\n{text}X\nexit {status}\n"
        )
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return tmp_path / "asked"

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return answers


def on_card(plan, peak_gib=None):
    peak = peak_gib and PeakUse(peak_gib=peak_gib, parts_gib={}, expected_error=0.1, basis="x")
    device = Device(kind="cuda", name="NVIDIA L4", memory_gib=22.0, bf16=True)
    return plan.model_copy(update={"device": device, "peak": peak or None})


def test_a_card_in_use_is_refused_naming_who_holds_it(plan, nvidia_smi):
    asked = nvidia_smi("411, /usr/bin/python3, 9000\n77, /opt/a, b/ollama, 12000\n5, gone, [N/A]\n")
    held = others_on("0")
    assert held == [Held(411, "python3", 9000), Held(77, "ollama", 12000)]
    assert "--id=0 --query-compute-apps=pid,process_name,used_memory" in asked.read_text()
    with pytest.raises(CardError) as caught:
        require_free_card(on_card(plan), held)
    assert "pid 77 ollama 12,000 MiB; pid 411 python3 9,000 MiB" in caught.value.message
    assert "CUDA_VISIBLE_DEVICES" in caught.value.hint


def test_a_card_with_room_beside_others_is_taken(plan):
    held = [Held(7, "python3", 9000)]
    require_free_card(on_card(plan, peak_gib=8.0), held)
    with pytest.raises(CardError):
        require_free_card(on_card(plan, peak_gib=13.0), held)
    # a desktop
    require_free_card(on_card(plan), [Held(7, "Xorg", 200)])
    require_free_card(plan, held)


def test_a_machine_that_cannot_tell_refuses_nothing(nvidia_smi):
    nvidia_smi("", status=9)
    assert others_on("MIG-1") == []


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_what_counts_as_out_of_memory(error):
    assert is_out_of_memory(error)


def test_the_allocator_of_the_cpu_itself_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(OSError("out of memory"))


def test_classes_go_by_the_kind_of_error():
    assert class_of(DataError("x")) == "data"
    assert class_of(DiskError("x")) == "disk"
    assert class_of(UserError("x")) == "user"


def test_the_allocators_settings_are_the_users_where_they_set_any(monkeypatch):
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF", raising=False)
    monkeypatch.delenv("PYTORCH_ALLOC_CONF", raising=False)
    assert environment()["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64")
    made = environment()
    assert made["PYTORCH_CUDA_ALLOC_CONF"] == "max_split_size_mb:64"
    assert "PYTORCH_ALLOC_CONF" not in made


def test_a_beat_is_an_event_only_after_silence():
    now, told = [0.0], []
    pulse = Pulse(told.append, every_s=30, clock=lambda: now[0])
    now[0] = 20
    pulse.beat("training")
    assert told == []
    pulse.emit({"event": "step"})
    now[0] = 45
    pulse.beat("training")
    now[0] = 51
    pulse.beat("saving")
    assert told == [{"event": "step"}, {"event": "heartbeat", "doing": "saving"}]


def test_a_save_beats_only_while_it_writes(tmp_path):
    told = []
    pulse = Pulse(told.append, every_s=0.05)
    with pulse.watching(tmp_path, "saving"):
        time.sleep(0.3)
        still = len(told)
        for size in range(10):
            (tmp_path / "weights").write_bytes(bytes(size))
            time.sleep(0.06)
    assert still <= 1
    assert len(told) >= still + 3
