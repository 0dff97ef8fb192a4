"""Who looks at a run: its log lines, VisualDL's scalars, and pictures of what goes through the network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from paddle import Tensor
from visualdl import LogWriter

from paddlepose import codecs
from paddlepose.engine import distributed
from paddlepose.engine.debug import DebugPictures
from paddlepose.engine.report import Average, Meters, test_line, train_line
from paddlepose.metrics.accuracy import accuracy
from paddlepose.settings import Config

_LOG = logging.getLogger(__name__)


class _Watch:
    """Meters of the present epoch; every PRINT_FREQ steps something is said."""

    def __init__(self, config: Config, pictures: DebugPictures | None = None) -> None:
        self.config = config
        self.locate = codecs.build(config.codec_settings()).locate
        self.pictures = pictures
        self.epoch = self.steps = 0
        self.meters = Meters()

    def begin(self, epoch: int, steps: int) -> None:
        """A new epoch of `steps` steps."""
        self.epoch, self.steps, self.meters = epoch, steps, Meters()

    def loaded(self) -> None:
        """A batch is there."""
        self.meters.loaded()

    def stepped(
        self, number: int, batch: Mapping[str, Tensor], outputs: list[Tensor], losses: Mapping[str, Any]
    ) -> None:
        """Take the step's time, loss and accuracy; print them if it is their turn."""
        count = len(batch["image"])
        self.meters.loss.add(losses["loss"].item(), count)
        for name in sorted(losses.keys() - {"loss"}, reverse=True):
            self.meters.parts.setdefault(name, Average()).add(losses[name].item(), count)
        maps = outputs[-1].astype("float32").numpy()
        self.meters.accuracy.add(*accuracy(maps, batch["target"].numpy(), self.locate))
        self.meters.stepped()
        if number % self.config.print_freq == 0:
            self.say(number, count)
            if self.pictures:
                self.pictures.save(number, batch, outputs[-1])

    def say(self, number: int, count: int) -> None:
        """Print the meters at step `number`, whose batch has `count` samples."""
        raise NotImplementedError


class TrainWatch(_Watch):
    """Lines and scalars of training."""

    def __init__(self, config: Config, writer: LogWriter | None, pictures: DebugPictures | None) -> None:
        """Scalars go to `writer`, where there is one."""
        super().__init__(config, pictures)
        self.writer = writer

    def rate(self, value: float) -> float:
        """Note the learning rate of the step that comes."""
        self.meters.rate.add(value)
        return value

    def say(self, number: int, count: int) -> None:
        """The training line, and loss, accuracy and learning rate as scalars."""
        line = train_line(
            self.meters,
            epoch=self.epoch,
            step=number,
            steps=self.steps,
            end_epoch=self.config.train.end_epoch,
            batch=count * distributed.world(),
        )
        _LOG.info("%s", line)
        if self.writer:
            at = self.epoch * self.steps + number
            self.writer.add_scalar("train_loss", self.meters.loss.value, at)
            for name, part in self.meters.parts.items():
                self.writer.add_scalar(f"train_{name}_loss", part.value, at)
            self.writer.add_scalar("train_acc", self.meters.accuracy.value, at)
            self.writer.add_scalar("train_lr", self.meters.rate.value, at)


class TestWatch(_Watch):
    """Lines of validation."""

    def say(self, number: int, count: int) -> None:
        """The test line."""
        del count
        _LOG.info("%s", test_line(self.meters, step=number, steps=self.steps))
