"""Every command of the README runs, in a folder that looks like a fresh clone."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# What `.ci/run` and `make` themselves run.
ELSEWHERE = ("make ", "python3 -m venv", ".venv/bin/pip")
# One epoch of a training is enough to see that it runs; the drawn sets are small.
SHORTER = ["TRAIN.END_EPOCH", "1", "WORKERS", "0"]


def commands() -> list[str]:
    lines = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()]
    lines = [line.partition("#")[0].strip() for line in lines]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone")
    for name in ("pose_estimation", "experiments", "images", "cocoapi"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data").mkdir()
    for script in (ROOT / "data").glob("*.py"):
        shutil.copy(script, folder / "data")
    return folder


@pytest.mark.parametrize("command", commands())
def test_command(clone, command):
    """In the README's order: each needs what those before it have left. `evaluate.py` has a test of its own."""
    if "cocoapi" in command:
        pytest.skip("needs files of the reader's own")
    program, *arguments = command.split()
    if program == "paddlepose":
        arguments = ["-c", "import sys; from paddlepose.commands import main; sys.exit(main())", *arguments]
    if "train" in command and "data/" not in command:
        arguments += SHORTER
    done = subprocess.run([sys.executable, *arguments], cwd=clone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_python_example(clone):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    done = subprocess.run([sys.executable, "-c", example], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(1, 16, 2)")


def test_every_file_of_the_tree_exists():
    tree = README.split("## What is where")[1].split("```")[1]
    for line in tree.strip().splitlines():
        path = line.split()[0]
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_data_set_example(tmp_path):
    """The YAML for one's own data set loads."""
    from paddlepose import load_config

    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.S)
    (tmp_path / "own.yaml").write_text(example)
    assert load_config(tmp_path / "own.yaml").dataset.dataset == "coco"
