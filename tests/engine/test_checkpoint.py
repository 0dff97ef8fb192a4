"""The files of a run: what they hold, and that no interruption breaks them."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
import tiny_training
from paddle.utils import unique_name

from paddlepose.engine.checkpoint import FILE, Checkpoints
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.train import fit

OPTIMIZERS = ("adam", "adamw", "rms", "sgd")


def train(folder, epochs, **options):
    """Train from the checkpoint in `folder`, if there is one, until `epochs` are done; what was trained."""
    with unique_name.guard():
        model = tiny_training.network()
        step = tiny_training.step(model, **options)
        checkpoints = Checkpoints(folder, model, step)

        def after_epoch(epoch):
            checkpoints.save(epoch + 1)
            checkpoints.keep_best(-epoch)

        done = checkpoints.resume(folder)
        if done:
            checkpoints.keep_best(1 - done)
        fit(
            step,
            tiny_training.loader(),
            lambda number: 0.01 / (1 + number),
            epochs=range(done or 0, epochs),
            watch=tiny_training.Watch(),
            after_epoch=after_epoch,
        )
    return checkpoints


def equal(state, other):
    """The two nested states hold the same, bit for bit."""
    if isinstance(state, dict):
        return state.keys() == other.keys() and all(equal(state[key], other[key]) for key in state)
    return np.array_equal(state, other)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_is_the_uninterrupted_run(tmp_path, optimizer, ema, accumulate):
    options = {"OPTIMIZER": optimizer, "ema": ema, "accumulate": accumulate}
    train(tmp_path / "whole", 3, **options)
    for epochs in (1, 2, 3):
        train(tmp_path / "parts", epochs, **options)
    whole, parts = (read_pickle(tmp_path / name / FILE) for name in ("whole", "parts"))
    assert whole["epoch"] == 3 and equal(whole, parts)
    first = tiny_training.network().state_dict()
    assert not np.allclose(whole["state_dict"]["0.weight"], first["0.weight"].numpy(), atol=1e-3)


def test_the_best_is_kept_over_a_resume(tmp_path):
    train(tmp_path, 1)
    best = read_pickle(tmp_path / "model_best.pdparams")
    resumed = train(tmp_path, 3)  # each epoch is worse than the one before
    assert resumed.best == 0
    assert equal(read_pickle(tmp_path / "model_best.pdparams"), best)


def test_the_mean_is_what_is_measured_and_handed_on(tmp_path):
    checkpoints = train(tmp_path, 2, ema=0.9)
    checkpoints.finish()
    state = read_pickle(tmp_path / FILE)
    assert equal(read_pickle(tmp_path / "final_state.pdparams"), state["ema"])
    assert not equal(state["ema"], state["state_dict"])


def test_files_need_no_paddle_to_be_read(tmp_path):
    train(tmp_path, 1)
    assert all(isinstance(value, np.ndarray) for value in read_pickle(tmp_path / FILE)["state_dict"].values())


def test_no_checkpoint_is_no_mistake(tmp_path):
    assert Checkpoints(tmp_path, None, None).resume(tmp_path) is None


def test_weights_alone_are_no_checkpoint(tmp_path):
    train(tmp_path, 1).finish()
    (tmp_path / "final_state.pdparams").rename(tmp_path / FILE)
    with pytest.raises(ValueError, match="weights alone, without 'best': a run cannot go on from them"):
        train(tmp_path, 2)


def test_a_checkpoint_of_another_network_changes_nothing(tmp_path):
    train(tmp_path, 1)
    model = paddle.nn.Conv2D(3, 2, 1)
    before = model.weight.numpy()
    with pytest.raises(ValueError, match="not the weights of this network"):
        Checkpoints(tmp_path, model, tiny_training.step(model)).resume(tmp_path)
    assert np.array_equal(model.weight.numpy(), before)


KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
import paddle
import test_checkpoint

def write_half_and_die(state, path):
    pathlib.Path(path).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

folder = pathlib.Path(sys.argv[1])
test_checkpoint.train(folder, 1)
paddle.save = write_half_and_die
test_checkpoint.train(folder, 2)
"""


def test_killed_while_writing(tmp_path):
    """Of the second checkpoint, only half under another name is there; the first is whole, and the run goes on."""
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(folder)]
    path = [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.read_bytes() for path in folder.glob(".*")] == [b"half"]
    assert read_pickle(folder / FILE)["epoch"] == 1
    train(folder, 2)
    train(tmp_path / "whole", 2)
    assert equal(read_pickle(folder / FILE), read_pickle(tmp_path / "whole" / FILE))


@pytest.mark.parametrize(("one", "other"), itertools.permutations(OPTIMIZERS, 2))
def test_a_resume_with_another_optimiser_is_one_line(tmp_path, one, other):
    train(tmp_path, 1, OPTIMIZER=one)
    with pytest.raises(
        ValueError, match=r"checkpoint.pdparams: saved with the optimiser \w+, this run has \w+: .*TRAIN.OPTIMIZER"
    ):
        train(tmp_path, 2, OPTIMIZER=other)
