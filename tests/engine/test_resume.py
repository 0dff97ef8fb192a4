"""The whole road: a training that is killed and resumed is the training that was left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_data

from paddlepose.commands import main
from paddlepose.engine.pickles import read_pickle

SCRIPT = Path(__file__).parents[2] / "pose_estimation" / "train.py"
EPOCHS = {"BATCH_SIZE": 2, "END_EPOCH": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data.write_coco(tmp_path_factory.mktemp("data"))


def config(folder, data):
    """Configuration of a training into `folder`, and where its files are."""
    folder.mkdir()
    cfg = tiny_data.write_config(folder / "tiny.yaml", data, WORKERS=2, TRAIN=EPOCHS)
    return str(cfg), folder / "output" / "coco" / "pose_resnet_18" / "tiny"


def kill_in_second_epoch(cfg):
    """Train, and kill all processes after a step of epoch 1."""
    command = [sys.executable, str(SCRIPT), "--cfg", cfg]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        is_there = any(line.startswith("Epoch: [1][1/") for line in process.stdout)
        os.killpg(process.pid, signal.SIGKILL)
    assert is_there


def test_a_killed_training_goes_on(tmp_path, data):
    cfg, whole = config(tmp_path / "whole", data)
    assert main(["train", "--cfg", cfg]) == 0
    cfg, parts = config(tmp_path / "parts", data)
    kill_in_second_epoch(cfg)
    assert read_pickle(parts / "checkpoint.pdparams")["epoch"] == 1
    assert not (parts / "final_state.pdparams").exists()
    assert main(["train", "--cfg", cfg, "--resume"]) == 0
    for name in ("final_state.pdparams", "model_best.pdparams"):
        wanted, found = read_pickle(whole / name), read_pickle(parts / name)
        assert wanted.keys() == found.keys()
        assert all(np.array_equal(wanted[key], found[key]) for key in wanted)
    assert not list(parts.glob(".*"))


def test_a_finished_training_is_left_as_it_is(tmp_path, data):
    cfg, folder = config(tmp_path / "whole", data)
    once = ["train", "--cfg", cfg, "TRAIN.END_EPOCH", "1"]
    assert main(once) == 0
    before = {path.name: path.read_bytes() for path in folder.glob("*.pdparams")}
    assert main([*once, "--resume"]) == 0
    assert {path.name: path.read_bytes() for path in folder.glob("*.pdparams")} == before
