"""The files of a run: what they hold, and that no interruption breaks them."""

import itertools
import os
import pickle
import re
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


def removed(name):
    """A change of a checkpoint of an earlier version, which had no checksum."""

    def change(state):
        state.pop("checksum")
        for key in [key for key in state["optimizer"] if re.search(name, key)]:
            del state["optimizer"][key]

    return change


def set_to(place, value):
    """Another one."""

    def change(state):
        state.pop("checksum")
        *path, key = place
        for part in path:
            state = state[part]
        state[key] = value

    return change


def in_secret(state):
    """One bit of one number: only the checksum tells."""
    state["optimizer"]["conv2d_0.w_0_moment1_0"].view(np.int32)[0, 0, 0, 0] ^= 1


MOMENT = ("optimizer", "conv2d_0.w_0_moment1_0")
DAMAGES = {
    "a bit": (in_secret, "its content is not what was written"),
    "no first moments": (removed("moment1"), "its optimiser is not this run's: .* missing: conv2d_0.w_0_moment1_0"),
    "no moment of one weight": (removed("conv2d_0.w_0_moment2"), "1 missing: conv2d_0.w_0_moment2_0"),
    "nothing of one weight": (removed("conv2d_0.w_0"), "its optimiser keeps nothing of 1 weights"),
    "no optimiser": (removed(""), "its optimiser keeps nothing of 4 weights"),
    "moment: text": (set_to(MOMENT, "text"), "1 missing: conv2d_0.w_0_moment1_0"),
    "moment: complex": (set_to(MOMENT, np.zeros((2, 3, 3, 3), np.complex64)), "1 missing"),
    "moment: shape": (set_to(MOMENT, np.zeros(2, np.float32)), r"1 mismatched: conv2d_0.w_0_moment1_0 \(2,\) for"),
    "moment: name": (set_to(("optimizer", "a\n"), np.zeros(2, np.float32)), r"1 unexpected: a\\n"),
    "optimizer: list": (set_to(("optimizer",), []), "its optimiser keeps nothing"),
    "optimizer: null": (set_to(("optimizer",), None), "TypeError|not iterable"),
    "ema: empty value": (
        set_to(("ema", "0.weight"), None),
        "its running mean is not this run's: .*1 missing: 0.weight",
    ),
    "ema: shape": (set_to(("ema", "0.bias"), np.zeros(5, np.float32)), "its running mean is not .* 1 mismatched"),
    "ema: text": (set_to(("ema",), "text"), "AttributeError"),
    "epoch: negative": (set_to(("epoch",), -3), "its epoch is -3"),
    "epoch: text": (set_to(("epoch",), "3"), "its epoch is '3'"),
    "best: nan": (set_to(("best",), float("nan")), "its best figure is nan"),
    "best: null": (set_to(("best",), None), "its best figure is None"),
    "optimizer_type": (set_to(("optimizer_type",), ["Adam"]), "saved with the optimiser"),
    "weights: complex": (set_to(("state_dict", "0.bias"), np.zeros(2, np.complex64)), "0.bias holds complex numbers"),
    "weights: null": (set_to(("state_dict",), None), "expected weights by name"),
}


@pytest.mark.parametrize(("change", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_one_line(tmp_path, change, message):
    """It comes before the first step; Paddle would take some of these, and fail in the first step on others."""
    train(tmp_path, 1, ema=0.9)
    state = read_pickle(tmp_path / FILE)
    change(state)
    (tmp_path / FILE).write_bytes(pickle.dumps(state))
    model = tiny_training.network()
    with pytest.raises(ValueError, match=f"^{tmp_path / FILE}: .*{message}") as error, unique_name.guard():
        Checkpoints(tmp_path, model, tiny_training.step(model, ema=0.9)).resume(tmp_path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_without_a_checksum_goes_on(tmp_path):
    """Those of earlier versions have none."""
    train(tmp_path, 1)
    state = read_pickle(tmp_path / FILE)
    del state["checksum"]
    (tmp_path / FILE).write_bytes(pickle.dumps(state))
    train(tmp_path, 2)
    assert read_pickle(tmp_path / FILE)["epoch"] == 2


def test_a_weight_without_gradients_goes_on(tmp_path, monkeypatch):
    """The optimiser keeps nothing of it."""
    network = tiny_training.network

    def with_an_idle_weight():
        model = network()
        model.add_parameter("idle", model.create_parameter([3]))
        return model

    monkeypatch.setattr(tiny_training, "network", with_an_idle_weight)
    train(tmp_path, 1)
    train(tmp_path, 2)
    assert read_pickle(tmp_path / FILE)["epoch"] == 2


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
