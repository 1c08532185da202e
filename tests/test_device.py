import pytest

from train.device import host_memory_gib


@pytest.fixture
def root(tmp_path):
    def write(cgroup, **limits):
        files = {"proc/self/cgroup": cgroup, **limits}
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_without_a_limit_it_is_the_hosts_memory(tmp_path):
    assert host_memory_gib(tmp_path) > 0


@pytest.mark.parametrize(
    ("cgroup", "file"),
    [
        ("0::/job\n", "sys/fs/cgroup/job/memory.max"),
        ("0::/job/step\n", "sys/fs/cgroup/job/memory.max"),
        ("0::/not/seen/from/here\n", "sys/fs/cgroup/memory.max"),
        ("4:memory:/job\n0::/\n", "sys/fs/cgroup/memory/job/memory.limit_in_bytes"),
        ("4:memory:/elsewhere\n", "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_the_cgroup_counts(root, cgroup, file):
    assert host_memory_gib(root(cgroup, **{file: f"{2**28}\n"})) == 0.25


@pytest.mark.parametrize("text", ["max\n", f"{2**62}\n"])
def test_no_limit_is_none(root, tmp_path, text):
    plain = host_memory_gib(tmp_path)
    assert host_memory_gib(root("0::/job\n", **{"sys/fs/cgroup/job/memory.max": text})) == plain
