"""Batches: which samples are in them, in which order, and what becomes of a sample that cannot be made."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paddlepose.engine.loader import Loader


class Numbers:
    """Samples that are their own numbers; some are mistakes."""

    epoch = 0

    def __init__(self, count=10, mistakes=()):
        self.count, self.mistakes = count, mistakes

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.mistakes:
            raise ValueError(f"sample {index} is broken")
        return {"index": index, "epoch": np.float32(self.epoch), "image": np.full((3, 2, 2), index, np.float32)}


def order(epoch=0, count=10, size=4, **options):
    """The numbers of the samples in each batch."""
    loader = Loader(Numbers(count), size, **{"workers": 0, **options})
    batches = [batch["index"].numpy().tolist() for batch in loader.epoch(epoch)]
    assert len(batches) == len(loader)
    return batches


def test_without_a_seed_samples_keep_their_order():
    assert order() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("workers", [0, 2])
def test_arrays_are_stacked_and_know_the_epoch(workers):
    (batch,) = Loader(Numbers(3), 4, workers=workers).epoch(5)
    assert batch["image"].shape == [3, 3, 2, 2]
    assert batch["epoch"].numpy().tolist() == [5, 5, 5]


def test_the_order_depends_on_seed_and_epoch_alone():
    first = order(epoch=3, seed=1)
    np.random.default_rng().random()
    assert order(epoch=3, seed=1) == order(epoch=3, seed=1, workers=2) == first
    assert order(epoch=4, seed=1) != first != order(epoch=3, seed=2)
    assert sorted(itertools.chain(*first)) == list(range(10))


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("seed", [None, 1])
def test_processes_share_the_batches_of_one(world, seed):
    shares = [order(epoch=2, count=12, seed=seed, rank=rank, world=world) for rank in range(world)]
    assert [[*itertools.chain(*parts)] for parts in zip(*shares, strict=True)] == order(epoch=2, count=12, seed=seed)


@pytest.mark.parametrize(("count", "world", "shares"), [(7, 2, [[4, 5], [6, 0]]), (5, 4, [[4], [0], [1], [2]])])
def test_the_last_batch_is_filled_up_so_that_all_processes_have_the_same(count, world, shares):
    assert [order(count=count, rank=rank, world=world)[-1] for rank in range(world)] == shares


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_is_an_error_with_its_own_message(workers):
    batches = Loader(Numbers(10, mistakes=(5, 8)), 4, workers=workers).epoch(0)
    assert next(batches)["index"].numpy().tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"^sample 5 is broken$"):
        next(batches)


class Strange(Numbers):
    """Samples of which one fails with an exception that no caller expects."""

    def __getitem__(self, index):
        if index == 5:
            raise RuntimeError("File is encrypted")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 2])
def test_any_exception_of_a_sample_ends_the_epoch(workers):
    with pytest.raises(ValueError, match=r"^sample 5: RuntimeError: File is encrypted$"):
        list(Loader(Strange(), 4, workers=workers).epoch(0))


ORPHANS = """
import os, sys, time
from paddlepose.engine.loader import Loader
class Slow:
    epoch = 0
    def __len__(self): return 100
    def __getitem__(self, index):
        os.write(1, f"{os.getpid()}\\n".encode())  # in one piece, which print is not
        time.sleep(0.05)
        return {"index": index}
for batch in Loader(Slow(), 2, workers=2).epoch(0): pass
"""


def test_workers_die_with_their_parent():
    run = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    workers = {int(run.stdout.readline()) for _ in range(6)} - {run.pid}
    assert workers
    run.kill()
    run.wait()
    deadline = time.monotonic() + 5
    while any(_lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Deadly(Numbers):
    """Samples of which one kills the process that makes it, as the system does where memory is short."""

    def __getitem__(self, index):
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


DEATH = (
    r"process \d+, which made samples, was killed by signal 9 .*memory is short: lower WORKERS .2., TRAIN.BATCH_SIZE"
)


def test_a_dead_worker_is_an_error_at_once():
    start = time.monotonic()
    with pytest.raises(OSError, match=DEATH):
        list(Loader(Deadly(), 4, workers=2).epoch(0))
    assert time.monotonic() - start < 4  # Paddle looks every five seconds


def test_a_dead_worker_disturbs_no_step():
    """The error comes with the next batch, not in whatever is done with the one before."""
    others = multiprocessing.active_children()
    batches = Loader(Numbers(100), 1, workers=2).epoch(0)
    next(batches)
    next(child for child in multiprocessing.active_children() if child not in others).kill()
    time.sleep(0.5)
    with pytest.raises(OSError, match=DEATH):
        list(batches)
