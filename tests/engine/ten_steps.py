"""A program for several processes: ten steps whose batch norms keep their statistics, so that all batches add up.

    python -m paddle.distributed.launch --nproc_per_node 2 ten_steps.py CFG OUT [RANK_THAT_DIES]

The first process writes to OUT the weights, a statistic of which each process had its number, and what it gathered.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import tiny_training
from paddle import nn

from paddlepose import load_config
from paddlepose.engine import distributed, optim
from paddlepose.engine.job import Job
from paddlepose.engine.train import Step, fit


def train(cfg: Path, dying_rank: int | None = None) -> nn.Layer:
    """The network after ten steps, in the first of which one of the processes may die."""
    job = Job(load_config(cfg), "ten_steps")
    model = job.network()
    for layer in model.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer._use_global_stats = True
    step = Step(distributed.share(model), job.criterion, optim.build(job.config.train, model))

    def after_epoch(epoch: int) -> None:
        if epoch == 0 and distributed.rank() == dying_rank:
            os.kill(os.getpid(), signal.SIGKILL)

    rate, watch = job.config.train.lr, tiny_training.Watch()
    fit(step, job.loader(train=True), lambda _: rate, epochs=range(10), watch=watch, after_epoch=after_epoch)
    return model


def main(cfg: str, out: str, *dying_rank: str) -> None:
    """Train in each process, then bring things together."""
    distributed.start()
    model = train(Path(cfg), *map(int, dying_rank))
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    rank = distributed.rank()
    model.bn1._mean.fill_(float(rank))
    distributed.average_statistics(model)
    start = time.perf_counter()
    if rank == 0:
        time.sleep(1)
    distributed.wait_for_first("the end")
    facts = distributed.gather((rank, time.perf_counter() - start, os.environ["MKL_NUM_THREADS"]))
    if rank == 0:
        np.savez(out, statistic=model.bn1._mean.numpy(), facts=np.array(facts, float), **weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
