"""Two processes on one machine, as `paddle.distributed.launch` starts them: they do what one does."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
import ten_steps
import tiny_data

from paddlepose.commands import main
from paddlepose.engine.pickles import read_pickle

SCRIPTS = Path(__file__).parents[2] / "pose_estimation"
LIMIT = 60  # seconds after which a run counts as hung

pytestmark = pytest.mark.skipif(paddle.is_compiled_with_cuda(), reason="starts processes for the CPU")


def launch(folder, *arguments):
    """Status, what the screen showed, and what each process said of a program run by two processes."""
    logs = folder / "logs"
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", logs]
    environment = {**os.environ, "MKL_NUM_THREADS": "1"}
    environment.pop("CUDA_VISIBLE_DEVICES", None)  # even an empty one makes the launcher look for GPUs
    process = subprocess.Popen(
        list(map(str, [*command, *arguments])),
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        screen = process.communicate(timeout=LIMIT)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    said = [(logs / f"workerlog.{rank}").read_text() for rank in range(2)]
    return SimpleNamespace(status=process.returncode, screen=screen, said=said)


def table(text):
    """Lines of the result tables in a text."""
    return re.findall(r"^\|.*\|$", text, re.MULTILINE)


@pytest.fixture
def steps(tmp_path):
    """Configuration of ten steps of eight people."""
    train = {"BATCH_SIZE": 8, "OPTIMIZER": "sgd", "LR": 0.1}
    return tiny_data.write_config(tmp_path / "tiny.yaml", tiny_data.write_coco(tmp_path / "data"), TRAIN=train)


def test_ten_steps_of_two_processes_are_those_of_one(tmp_path, steps):
    done = launch(tmp_path, ten_steps.__file__, steps, tmp_path / "two.npz")
    assert done.status == 0, done.screen
    two = dict(np.load(tmp_path / "two.npz"))
    statistic, facts = two.pop("statistic"), two.pop("facts")
    one = {key: value.numpy() for key, value in ten_steps.train(steps).state_dict().items()}
    assert one.keys() == two.keys()
    assert max(np.abs(one[key] - two[key]).max() for key in one) < 1e-6
    assert np.abs(one["final_layer.bias"]).max() > 1e-3  # which was 0 at the start
    assert np.all(statistic == 0.5)
    ranks, waited, threads = facts.T
    assert ranks.tolist() == [0, 1] and (waited >= 0.99).all() and threads.tolist() == [1, 1]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_run(tmp_path, steps, rank):
    done = launch(tmp_path, ten_steps.__file__, steps, tmp_path / "two.npz", rank)
    assert done.status != 0
    assert "Container failed" in done.screen
    assert not (tmp_path / "two.npz").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An epoch of two processes on seven people, of whom the last batch holds three."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny_data.write_mpii(folder / "data", people=7)
    dataset = {"DATASET": "mpii", "TRAIN_SET": "train", "TEST_SET": "valid"}
    cfg = tiny_data.write_config(folder / "tiny.yaml", data, DATASET=dataset)
    done = launch(folder, SCRIPTS / "train.py", "--cfg", cfg)
    assert done.status == 0, done.screen
    return SimpleNamespace(cfg=cfg, folder=folder / "output" / "mpii" / "pose_resnet_18" / "tiny", **vars(done))


def test_the_first_process_alone_speaks_and_writes(trained):
    assert "Epoch: [0][1/2]" in trained.said[0] and len(table(trained.said[0])) == 3
    assert "=> saving final model state" in trained.screen
    assert not re.search(r"Epoch|=>|\|", trained.said[1])
    assert len(list(trained.folder.glob("*_train.log"))) == 1
    assert len(list(trained.folder.parents[3].glob("log/**/vdlrecords*"))) == 1
    written = {path.name for path in trained.folder.iterdir() if path.suffix != ".log"}
    names = {"checkpoint.pdparams", "model_best.pdparams", "final_state.pdparams"}
    assert written == {*names, "config.yaml", "pred.mat", "train.lock", "metrics.csv", "curves.png"}
    assert read_pickle(trained.folder / "checkpoint.pdparams")["epoch"] == 1


def test_two_processes_measure_what_one_measures(tmp_path, trained, capsys, caplog):
    done = launch(tmp_path, SCRIPTS / "valid.py", "--cfg", trained.cfg)
    assert done.status == 0, done.screen
    caplog.set_level("INFO")
    assert main(["valid", "--cfg", str(trained.cfg)]) == 0
    assert table(done.said[0]) == table(caplog.messages[-1]) == table(trained.said[0])
    assert not table(done.said[1])


def test_threads_are_shared_by_the_processes_of_a_machine():
    program = "import os, paddlepose; print(os.environ['MKL_NUM_THREADS'])"
    environment = {key: value for key, value in os.environ.items() if key != "MKL_NUM_THREADS"}
    cores = len(os.sched_getaffinity(0))
    for processes in (1, 2, 1000):
        environment["PADDLE_LOCAL_SIZE"] = str(processes)
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert int(done.stdout) == max(1, cores // processes)
