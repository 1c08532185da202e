"""Writes README.md beside it: the commands of a run on RunPod and what each prints.

    python examples/runpod/make_examples.py

Nothing is invented and nothing is rented: the commands run against the test server of
``tests/runpod_emulator.py``, whose pods are processes of this machine that really train.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

HEAD = """# A run on RunPod, command by command

Written by `python examples/runpod/make_examples.py`; do not edit. The commands ran against the test
server of this repository: its catalogue and prices are invented, its pods are processes that really
train. With an account nothing changes but the names, the prices and the time.

Once: make an API key (RunPod's console, Settings) and set `RUNPOD_API_KEY`; make a Hub token that
may write to one private dataset repository, set it here as `HF_TOKEN`, and store it at RunPod as
the secret `turnmill_hf` (Settings, Secrets). Neither is ever sent in a pod's name or arguments.
"""

SPEC = """dataset = "support@latest"
base_model = "{base}"
epochs = {epochs}
effective_batch = 8
save_every_steps = {every}
max_length = 128
report_to = []

[lora]
r = 4
alpha = 8

[runpod]
max_usd_per_hour = 1.0      # a pod, all its cards together
max_usd = 5.0               # the run, all its attempts together
max_hours = 2.0             # one pod
{where}
"""
HUB = 'hub = "you/turnmill-runs" # private; made at the first run'


class Story:
    """Runs commands and keeps what they print."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder = folder
        self.env = {
            **os.environ, "RUNPOD_API_KEY": key, "RUNPOD_API_BASE_URL": url, "COLUMNS": "100",
            "TERM": "dumb", "TURNMILL_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.parts = [HEAD]

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(f"\n{text}\n")

    def file(self, name: str, text: str) -> None:
        """Write a file, and show it."""
        (self.folder / name).write_text(text)
        self.parts.append(f"\n`{name}`:\n\n```toml\n{self._clean(text)}```\n")

    def turnmill(
        self, *words: str, until: Callable[[], bool] | None = None, status: int = 0
    ) -> str:
        """Run a command; with ``until`` press Ctrl-C when it is true."""
        process = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", *words], cwd=self.folder, env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        pressed = ""
        while until is not None and process.poll() is None:
            if until():
                process.send_signal(signal.SIGINT)
                pressed = "^C\n"
                break
            time.sleep(0.02)
        out, _ = process.communicate(timeout=300)
        if process.returncode != status:
            raise RuntimeError(f"{words}: status {process.returncode}\n{out}")
        shown = "\n".join(line.rstrip() for line in self._clean(out).strip().splitlines())
        self.parts.append(f"\n```text\n$ turnmill {' '.join(words)}\n{shown}\n{pressed}```\n")
        return out

    def _clean(self, text: str) -> str:
        text = text.replace(f"{self.folder}/", "").replace(str(self.folder), ".")
        return re.sub(r"^.*Writing model shards.*\n", "", text, flags=re.MULTILINE)


def main() -> None:
    """Run everything and write the page."""
    from runpod_clocks import WallClock
    from runpod_doors import running
    from runpod_emulator import KEY, Emulator
    from train_ground import small_version, tiny_base

    from ingest.workspace import Workspace

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        small_version(Workspace(folder / "home"))
        base = tiny_base(folder / "base").name
        emulator = Emulator(folder / "world", WallClock())
        emulator.world.volumes["vol000001"] = {
            "id": "vol000001", "name": "runs", "size": 10, "dataCenter": "US-KS-2",
            "type": "STANDARD",
        }  # fmt: skip
        (folder / "volume").symlink_to(emulator.world.volume_folder("vol000001"))
        with running(emulator) as url:
            story = Story(folder, url, KEY)
            _told(story, base, emulator)
        page = "".join(story.parts)
    assert KEY not in page
    (HERE / "README.md").write_text(page)


def _told(story: Story, base: str, emulator: object) -> None:
    story.say("## What it would cost\n\nA spec says what may be spent:")
    story.file("train.toml", SPEC.format(base=base, epochs=1, every=1, where=HUB))
    story.turnmill("plan", "train.toml", "--launcher", "runpod")
    story.say(
        "## The run\n\nThe test server's pods have no cards, so the run below is on a CPU pod, and"
        " its files travel by a network volume in place of the Hub:"
    )
    where = (
        f'cpu = "cpu3c"\nvcpus = 2\nimage = "image:1"\npython = "{sys.executable}"\n'
        'volume = "vol000001"\nvolume_folder = "volume"'
    )
    text = SPEC.format(base=base, epochs=40, every=40, where=where)
    story.file("cpu.toml", text)
    story.parts[-1] = story.parts[-1].replace(f'python = "{sys.executable}"\n', "")

    def trains() -> bool:
        pods = emulator.world.pods.values()  # type: ignore[attr-defined]
        return any('"event":"step","step":20,' in line for pod in pods for _, _, line in pod.log)

    story.say("Ctrl-C lets go; the pod goes on, and would also end itself if nobody came back:")
    story.turnmill("train", "cpu.toml", "--launcher", "runpod", until=trains, status=130)
    story.turnmill("runs")
    story.turnmill("reap", "--dry-run")
    story.say("Later, from the same workspace:")
    story.turnmill("attach", "latest")
    story.turnmill("merge", "latest")
    story.say(
        "## What it cost\n\nRunPod bills late; until then the journal's own sum stands beside"
        " nothing."
    )
    story.turnmill("costs")
    story.turnmill("reap")


if __name__ == "__main__":
    main()
