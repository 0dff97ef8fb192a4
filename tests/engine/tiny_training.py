"""A network of two layers and samples of three pixels: a training whose every step takes a millisecond."""

import numpy as np
import paddle
from paddle import nn
from paddle.utils import unique_name

from paddlepose.engine.ema import Ema
from paddlepose.engine.loader import Loader
from paddlepose.engine.optim import build
from paddlepose.engine.train import Step
from paddlepose.settings import TrainSection


class Samples:
    """Twelve samples of dice, others in each epoch."""

    epoch = 0

    def __len__(self):
        return 12

    def __getitem__(self, index):
        rng = np.random.default_rng((self.epoch, index))
        return {"image": rng.random((3, 4, 4), np.float32), "target": rng.random((2, 4, 4), np.float32), "index": index}


class Watch:
    """It sees nothing."""

    def begin(self, epoch, steps):
        """An epoch begins."""

    def loaded(self):
        """A batch is there."""

    def stepped(self, number, batch, outputs, losses):
        """A step is done."""


def network():
    """A convolution, a batch norm and a dropout, whose weights depend on nothing done before."""
    with unique_name.guard():
        paddle.seed(0)
        return nn.Sequential(nn.Conv2D(3, 2, 3, padding=1), nn.BatchNorm2D(2), nn.Dropout(0.2))


def criterion(outputs, batch):
    """Mean squared difference."""
    return {"loss": (outputs - batch["target"]).square().mean()}


def step(model, *, ema=0.0, accumulate=1, **options):
    """A step of `model`'s training."""
    optimizer = build(TrainSection(**options), model)
    return Step(model, criterion, optimizer, accumulate=accumulate, ema=Ema(model, ema) if ema else None)


def loader(**options):
    """Batches of four samples."""
    return Loader(Samples(), 4, **{"workers": 0, "seed": 0, **options})
