"""Every command of the README and of the guides runs, in folders that look like a fresh clone."""

import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest

from paddlepose import load_config
from paddlepose.commands import main
from paddlepose.engine import rescoring, weights
from paddlepose.engine.job import Job
from paddlepose.engine.torch_file import write_torch
from paddlepose.models import build_network

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TRAIN, MIGRATE, BOTTOM_UP, DISTIL, ARCHITECTURE, DATA = (
    (ROOT / "docs" / f"{page}.md").read_text() for page in "train migrate bottom-up distil architecture data".split()
)

# What `.ci/run` and `make` themselves run.
ELSEWHERE = ("make ", "pip install")
# One epoch of a training on a few drawn people is enough to see that it runs.
SHORTER = ["TRAIN.END_EPOCH", "1", "WORKERS", "0"]
FEWER = ["--train", "6", "--valid", "4"]


def commands() -> list[str]:
    pages = README, TRAIN, MIGRATE, BOTTOM_UP, DISTIL
    blocks = [block for page in pages for block in re.findall(r"```bash\n(.*?)```", page, re.S)]
    lines = [line for block in blocks for line in block.splitlines()]
    lines = [line.partition("#")[0].strip() for line in lines]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


def make_clone(folder: Path, *own: str) -> Path:
    """A folder with what the commands need of a clone; `data` and those of `own` are left to the tests to fill."""
    for name in {"pose_estimation", "experiments", "images", "cocoapi"}.difference(own):
        (folder / name).symlink_to(ROOT / name)
    for name in ("data", *own):
        (folder / name).mkdir()
    for script in (ROOT / "data").glob("*.py"):
        shutil.copy(script, folder / "data")
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def run(monkeypatch, capsys):
    """`run(clone, command, *settings)` has to end well. `paddlepose` runs in this process, which has Paddle by now."""

    def run_in(clone, command, *settings):
        program, *arguments = [*shlex.split(command), *settings]
        if program == "paddlepose":
            monkeypatch.chdir(clone)
            assert main(arguments) == 0, capsys.readouterr().err
        else:
            done = subprocess.run([sys.executable, *arguments], cwd=clone, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return run_in


@pytest.mark.parametrize("command", commands())
def test_command(clone, run, command):
    """In the pages' order: each needs what those before it have left."""
    if "make_mini.py" in command:
        run(clone, command, *FEWER)
    else:
        run(clone, command, *(SHORTER if "train" in command else []))


def former_commands() -> list[str]:
    """The right columns of the tables of the other systems' commands."""
    return re.findall(r"^\| .* \| `((?:paddlepose|python) .*)` \|$", MIGRATE, re.M)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A clone with a few drawn people, and the demos' picture and video."""
    folder = make_clone(tmp_path_factory.mktemp("published"), "images")
    make = [sys.executable, "data/make_mini.py", "mpii", "coco", "crowdpose", "--train", "2", "--valid", "1"]
    subprocess.run([*make, "--size", "160x120"], cwd=folder, check=True, capture_output=True)
    for images in ("crowdpose/images", "coco/images/train2017", "coco/images/val2017"):
        path = folder / "data" / images
        shutil.make_archive(str(path), "zip", path.parent, path.name)
    cv2.imwrite(str(folder / "images" / "0.jpg"), np.full((600, 1100, 3), 128, np.uint8))
    writer = cv2.VideoWriter(str(folder.parent / "multi_people.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 64))
    writer.write(np.full((64, 64, 3), 128, np.uint8))
    writer.release()
    return folder


# Networks that take too long are made narrower over the command's own YAML; sizes of input and maps stay, but those of
# whole pictures.
NARROWER = {
    "pose_hrnet": ["MODEL.WIDTH", "8"],
    "hourglass": ["MODEL.NUM_FEATURES", "32"],
    "regression_hrnet": ["MODEL.WIDTH", "4", "MODEL.REGRESSION_CHANNELS", "8"]
    + ["MODEL.NUM_MODULES", "[1, 1, 1]", "MODEL.STEM_WIDTH", "8"]
    + ["MODEL.IMAGE_SIZE", "[64, 64]", "MODEL.HEATMAP_SIZE", "[16, 16]"],
    "pose_resnet": ["MODEL.DEPTH", "18", "MODEL.NUM_DECONV_FILTERS", "[32, 32, 32]"],
}


def narrower(experiment, settings=()):
    """The configuration of an experiment with its network made narrower, and the settings that do it."""
    change = NARROWER.get(load_config(experiment, settings).model.name, [])
    return load_config(experiment, [*settings, *change]), change


def write_weights(path, config):
    """Put new weights where a command looks for published ones."""
    if path and not path.exists():
        model = build_network(config, len(Job(config, "published").skeleton.joints))
        for layer in getattr(model, "final_layers", ()):  # so that maps are above zero, and people are found
            paddle.nn.initializer.Constant(10.0)(layer.bias)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_torch(weights.paddle_to_torch(weights.to_arrays(model.state_dict())), path)


@pytest.mark.parametrize("command", former_commands())
def test_command_of_another_system(published, run, monkeypatch, command):
    """Each by itself, with few people, one epoch, and new weights under the published names."""
    monkeypatch.chdir(published)
    if command.startswith("python"):
        run(published, command)
        return
    words = command.split()
    option = dict(pairwise(words))
    settings = [word for key in option if re.fullmatch("[A-Z]+[.][A-Z_]+", key) for word in (key, option[key])]
    config, change = narrower(option["--cfg"], settings)
    model_file = Path(option["--model-file"]) if "--model-file" in option else config.test.model_file
    for path in (model_file, config.train.checkpoint, config.model.pretrained):
        write_weights(path, config)
    if config.rescore.model_file and words[1] == "valid":
        config.rescore.model_file.parent.mkdir(parents=True, exist_ok=True)
        skeleton = Job(config, "published").skeleton
        paddle.save(rescoring.network(skeleton, 8).state_dict(), str(config.rescore.model_file))
    if config.kd.teacher_file:
        teacher, _ = narrower(config.kd.teacher_cfg)
        write_weights(config.kd.teacher_file, teacher)
        Path("teacher.yaml").write_text(teacher.dump())
        change = [*change, "KD.TEACHER_CFG", "teacher.yaml"]
    if " train " in command:
        change = [*change, *SHORTER, "TRAIN.BATCH_SIZE", "2", "TEST.BATCH_SIZE", "2"]
    run(published, command, *change)


def test_python_example(clone):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    done = subprocess.run([sys.executable, "-c", example], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\([3-9], 17, 2\)\nJoint\(x=", done.stdout)


def test_every_file_of_the_tree_exists():
    tree = ARCHITECTURE.split("```")[1]
    for line in tree.strip().splitlines():
        path = line.split()[0]
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_data_set_example(tmp_path):
    """The YAML for one's own data set loads."""
    example = re.findall(r"```yaml\n(.*?)```", DATA, re.S)[-1]
    (tmp_path / "own.yaml").write_text(example)
    assert load_config(tmp_path / "own.yaml").dataset.dataset == "coco"
