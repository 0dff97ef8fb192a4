"""One training at a time in a folder."""

import subprocess
import sys

import pytest
import tiny_data

from paddlepose.commands import main
from paddlepose.engine import lock

HOLDS = """
import sys, pathlib
from paddlepose.engine import lock
with lock.alone(pathlib.Path(sys.argv[1])):
    print("there", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder():
    """`holder(folder)`: a process that holds a folder's lock."""
    processes = []

    def hold(folder):
        command = [sys.executable, "-c", HOLDS, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "there\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_the_lock_ends_with_its_process(tmp_path, holder):
    process = holder(tmp_path)
    with (
        pytest.raises(ValueError, match=rf"{tmp_path}: process {process.pid} on .*, since 20\d\d-.*, trains here: "),
        lock.alone(tmp_path),
    ):
        raise AssertionError("it is held")
    process.kill()
    process.wait()
    with lock.alone(tmp_path):
        assert f"process {process.pid} " not in (tmp_path / lock.FILE).read_text()


def test_a_second_training_leaves_the_first_ones_files(tmp_path, holder, capsys):
    cfg = tiny_data.write_config(tmp_path / "tiny.yaml", tmp_path)
    folder = tmp_path / "output" / "coco" / "pose_resnet_18" / "tiny"
    process = holder(folder)
    (folder / f".checkpoint.{process.pid}.pdparams").write_bytes(b"half")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for resume in ([], ["--resume"]):
        assert main(["train", "--cfg", str(cfg), *resume]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{folder}: process {process.pid} on " in line
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
