"""Samples to batches: which samples a process sees in which order, and worker processes that make them."""

import ctypes
import shutil
import signal
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import active_children
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import cv2
import numpy as np
from paddle import Tensor
from paddle.io import DataLoader
from paddle.io.dataloader.collate import default_collate_fn

from paddlepose.core.files import entry

_SHARED_MEMORY = Path("/dev/shm")  # where worker processes hand batches over, if it is large enough
_SHARED_MEMORY_NEEDED = 1 << 30

_PR_SET_PDEATHSIG = 1  # of prctl(2)


class Samples(Protocol):
    """What a loader takes: numbered samples that may depend on the epoch."""

    epoch: int

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        """Arrays of one sample, by name."""


class _Guarded:
    """Samples whose mistakes are values: an exception in a worker process would only say that its queue was killed."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> Mapping[str, Any] | Exception:
        try:
            with entry(f"sample {index}"):
                return self.samples[index]
        except (ValueError, OSError) as error:
            return error


def _die_with_parent(worker: int) -> None:
    """Have the system kill this worker process when its parent is gone; on Linux, where it can be asked for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _collate(samples: Sequence[Mapping[str, Any] | Exception]) -> dict[str, Any]:
    for sample in samples:
        if isinstance(sample, Exception):
            return {"error": str(sample), "nothing": np.zeros(1)}  # Paddle takes no batch without an array
    return default_collate_fn(samples)


class Loader:
    """Batches of samples, epoch by epoch."""

    def __init__(
        self, samples: Samples, batch_size: int, *, workers: int, seed: int | None = None, rank: int = 0, world: int = 1
    ) -> None:
        """Batches of `batch_size`, a multiple of `world`, over `world` processes, of which this is number `rank`.

        `workers` are processes that make samples; 0 makes them in this one. `seed` is that of the order, which is
        another in each epoch; None keeps the samples' own.
        """
        self.samples, self.batch_size, self.workers = samples, batch_size, workers
        self.seed, self.rank, self.world = seed, rank, world
        cv2.setNumThreads(0 if workers else -1)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.samples) // self.batch_size)

    def _batches(self, epoch: int) -> list[list[int]]:
        """Numbers of this process's samples in each batch; whole batches are the same for any number of processes."""
        order = np.arange(len(self.samples))
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.samples))
        batches = []
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            # All processes take the same number of samples: in the last batch some are seen twice.
            batch = np.concatenate([batch, np.resize(order, -len(batch) % self.world)])
            batches.append(np.split(batch, self.world)[self.rank].tolist())
        return batches

    def epoch(self, number: int) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch: the samples' arrays, stacked.

        Raises ValueError: a sample could not be made; the message is the sample's own; OSError: a worker process died.
        """
        self.samples.epoch = number
        has_memory = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free >= _SHARED_MEMORY_NEEDED
        loader = DataLoader(
            _Guarded(self.samples),
            batch_sampler=self._batches(number),
            num_workers=self.workers,
            collate_fn=_collate,
            worker_init_fn=_die_with_parent,
            use_shared_memory=bool(self.workers) and has_memory,
        )
        deaths: list[str] = []
        try:
            for batch in _watched(loader, deaths):
                if "error" in batch:
                    raise ValueError(batch["error"])
                yield batch
        except SystemError as error:  # all that Paddle says is that its queue was killed
            died = deaths[0] if deaths else "a worker process died"
            lower = f"lower WORKERS ({self.workers}), TRAIN.BATCH_SIZE or TEST.BATCH_SIZE"
            raise OSError(f"{died}, most likely because memory is short: {lower}") from error


def _watched(loader: DataLoader, deaths: list[str]) -> Iterator[dict[str, Any]]:
    """Batches, which end at once where a process that makes them is killed; `deaths` then says what became of it.

    Paddle alone raises an error in whatever the main thread does then, or where the worker was handing over a batch,
    waits for ever.
    """
    others, handler = active_children(), signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    workers = [process for process in active_children() if process not in others]
    if signal.getsignal(signal.SIGCHLD) is not handler:
        signal.signal(signal.SIGCHLD, handler)
    if workers:
        Thread(target=_watch, args=(workers, weakref.ref(batches), deaths), daemon=True).start()
    return batches


def _watch(workers: list[BaseProcess], batches: weakref.ref[Any], deaths: list[str]) -> None:
    """Wait for the first worker to end, and if it did not end well, stop the others and the batches."""
    ended = wait([process.sentinel for process in workers])
    first = next(process for process in workers if process.sentinel in ended)
    first.join()
    if first.exitcode:
        deaths.append(_fate(first))
    if deaths and (loading := batches()):
        for process in workers:
            process.kill()
        loading._exit_thread_unexpectedly()
        loading._data_queue._writer.close()  # the last end to write at: half a batch is then no more waited for


def _fate(process: BaseProcess) -> str:
    code = process.exitcode
    end = f"was killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with status {code}"
    return f"process {process.pid}, which made samples, {end}"
