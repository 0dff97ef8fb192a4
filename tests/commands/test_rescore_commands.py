"""Rescoring's commands: what they print and write, what they refuse, and published weights there and back."""

import json
import re

import numpy as np
import pytest
import tiny_data

from paddlepose.commands import main
from paddlepose.core.rescore import NAMES
from paddlepose.datasets._skeleton import COCO, CROWDPOSE
from paddlepose.engine import rescoring, weights
from paddlepose.engine.torch_file import read_torch, write_torch
from paddlepose.metrics.matches import Matches


def write_matches(path, skeleton, count=30):
    rng, joints = np.random.default_rng(0), len(skeleton.joints)
    Matches(rng.normal(size=(count, joints, 2)), rng.random((count, joints)), rng.random(count)).save(path, skeleton)


@pytest.fixture
def job(tmp_path):
    """Options of a training: a configuration whose data file holds poses, and the file to write."""
    cfg = tmp_path / "rescore.yaml"
    data, model = tmp_path / "data.npz", tmp_path / "new" / "rescore.pdparams"
    content = {
        "DATASET": {"DATASET": "coco", "ROOT": str(tmp_path)},
        "MODEL": {"NAME": "regression_hrnet"},
        "CODEC": {"NAME": "regression"},
        "RESCORE": {"DATA_FILE": str(data), "MODEL_FILE": str(model), "END_EPOCH": 3, "HIDDEN_LAYER": 8},
    }
    cfg.write_text(json.dumps(content))
    write_matches(data, COCO)
    return ["--cfg", str(cfg)], data, model


def error(capsys, *arguments):
    """The line of a command that must fail."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_training_prints_losses_and_gives_the_same_weights_again(job, capsys):
    options, _, model = job
    found = []
    for _ in range(2):
        assert main(["rescore_train", *options]) == 0
        lines = capsys.readouterr().out
        assert [int(epoch) for epoch in re.findall(r"Epoch: \[(\d)/3\]\tLoss [\d.]+", lines)] == [0, 1, 2]
        found.append(rescoring.load(model, COCO).weights)
    assert [path.name for path in model.parent.iterdir()] == [model.name]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in NAMES)


def test_training_refuses(job, capsys):
    options, data, model = job
    assert "RESCORE.MODEL_FILE a.pth: name the .pdparams" in error(
        capsys, "rescore_train", *options, "RESCORE.MODEL_FILE", "a.pth"
    )
    write_matches(data, CROWDPOSE)
    assert f"{data}: poses of 'crowdpose', but the data set is 'coco'" in error(capsys, "rescore_train", *options)
    data.write_text("text")
    assert f"{data}: no arrays" in error(capsys, "rescore_train", *options)
    data.unlink()
    assert f"{data}: no such file" in error(capsys, "rescore_train", *options)
    assert not model.exists()


def test_data_are_only_of_labelled_pictures_and_bottom_up_networks(job, tmp_path, capsys):
    options, data, _ = job
    before = data.read_bytes()
    cfg = tiny_data.write_config(tmp_path / "tiny.yaml", tiny_data.write_coco(tmp_path))
    assert "pose_resnet: only poses of bottom-up networks" in error(capsys, "rescore_data", "--cfg", cfg)
    labels = json.loads((tmp_path / "annotations" / "person_keypoints_tiny.json").read_text())
    path = tmp_path / "annotations" / "image_info_test-dev.json"
    path.write_text(json.dumps(labels | {"annotations": []}))
    settings = ["DATASET.TEST_SET", "test-dev", "OUTPUT_DIR", tmp_path / "output", "LOG_DIR", tmp_path / "log"]
    assert "DATASET.TEST_SET test-dev: has no labels" in error(capsys, "rescore_data", *options, *settings)
    assert data.read_bytes() == before


def test_published_weights_are_converted_and_come_back(golden_weights, tmp_path, capsys):
    sizes = {"l1": (256, 74), "l2": (256, 256), "l3": (1, 256)}
    state = {f"{name}.weight": golden_weights.tensor(f"rescore.{name}.weight", size) for name, size in sizes.items()}
    state |= {f"{name}.bias": golden_weights.tensor(f"rescore.{name}.bias", size[:1]) for name, size in sizes.items()}
    write_torch(state, tmp_path / "published.pth")
    assert main(["convert", str(tmp_path / "published.pth")]) == 0
    assert "a rescoring network for RESCORE.MODEL_FILE" in capsys.readouterr().out
    found, card, _ = weights.read(tmp_path / "published.pdparams")
    assert card is None and np.array_equal(found["l1.weight"], state["l1.weight"].T)
    assert main(["convert", str(tmp_path / "published.pdparams"), "--out", str(tmp_path / "back.pth")]) == 0
    back = read_torch(tmp_path / "back.pth")
    assert list(back) == list(state) and all(np.array_equal(back[key], state[key]) for key in state)
    assert "cannot be an .onnx file" in error(capsys, "convert", tmp_path / "back.pth", "--out", tmp_path / "a.onnx")
