"""What a run says while it goes: lines in the log, scalars for VisualDL, and pictures."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from paddle import Tensor

from paddlepose import codecs
from paddlepose.engine import distributed
from paddlepose.engine.debug import DebugPictures
from paddlepose.experiment import Config
from paddlepose.metrics.accuracy import accuracy

if TYPE_CHECKING:
    from visualdl import LogWriter

_LOG = logging.getLogger(__name__)


@dataclass
class Average:
    """The last value of something and the mean of all."""

    value: float = 0.0
    total: float = 0.0
    count: float = 0.0

    def add(self, value: float, weight: float = 1.0) -> None:
        """Take a value that counts `weight` times."""
        self.value = value
        self.total += value * weight
        self.count += weight

    @property
    def mean(self) -> float:
        """Mean so far, 0 before the first value."""
        return self.total / self.count if self.count else 0.0


@dataclass
class Meters:
    """Averages over the steps of an epoch."""

    time: Average = field(default_factory=Average)  # seconds a step
    data: Average = field(default_factory=Average)  # seconds of it that the batch was waited for
    loss: Average = field(default_factory=Average)
    accuracy: Average | None = field(default_factory=Average)  # none of networks that have no such measure
    rate: Average = field(default_factory=Average)  # of learning
    parts: dict[str, Average] = field(default_factory=dict)  # of the loss, by name, where it has any


def train_line(meters: Meters, *, epoch: int, step: int, steps: int, end_epoch: int, batch: int) -> str:
    """Line of a training step, with the time that is left until `end_epoch` at the mean speed of this epoch."""
    left = int(((end_epoch - epoch) * steps - step) * meters.time.mean)
    fields = [
        f"Epoch: [{epoch}][{step}/{steps}]",
        f"Time {meters.time.value:.3f}s ({meters.time.mean:.3f}s)",
        f"Speed {batch / meters.time.value:.1f} samples/s",
        f"Data {meters.data.value:.3f}s ({meters.data.mean:.3f}s)",
        f"Lr {meters.rate.value:.5f} ({meters.rate.mean:.5f})",
        *(f"{name.upper()}_Loss {part.value:.5f} ({part.mean:.5f})" for name, part in meters.parts.items()),
        f"Loss {meters.loss.value:.5f} ({meters.loss.mean:.5f})",
        *_accuracy(meters),
        f"eta: {left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}",
    ]
    return "\t".join(fields)


def test_line(meters: Meters, *, step: int, steps: int) -> str:
    """Line of a validation step."""
    fields = [
        f"Test: [{step}/{steps}]",
        f"Time {meters.time.value:.3f} ({meters.time.mean:.3f})",
        f"Loss {meters.loss.value:.4f} ({meters.loss.mean:.4f})",
        *_accuracy(meters),
    ]
    return "\t".join(fields)


def _accuracy(meters: Meters) -> list[str]:
    return [f"Accuracy {meters.accuracy.value:.3f} ({meters.accuracy.mean:.3f})"] if meters.accuracy else []


class Watch:
    """What looks at a run through a data set: meters of the present epoch; every PRINT_FREQ steps a line is said."""

    def __init__(self, config: Config, pictures: DebugPictures | None = None) -> None:
        """Save `pictures` with the lines, where they are wanted."""
        self.config = config
        self.locate = getattr(codecs.build(config.codec_settings()), "locate", None)
        self.pictures = pictures
        self.begin(0, 0)

    def begin(self, epoch: int, steps: int) -> None:
        """A new epoch of `steps` steps."""
        self.epoch, self.steps, self.last = epoch, steps, perf_counter()
        self.meters = Meters(accuracy=Average() if self.locate else None)

    def loaded(self) -> None:
        """A batch is there."""
        self.meters.data.add(perf_counter() - self.last)

    def stepped(
        self, number: int, batch: Mapping[str, Tensor], outputs: list[Tensor], losses: Mapping[str, Any]
    ) -> None:
        """Take the step's time, loss and accuracy; print them if it is their turn."""
        count = len(batch["image"])
        self.meters.loss.add(losses["loss"].item(), count)
        for name in sorted(losses.keys() - {"loss"}, reverse=True):
            self.meters.parts.setdefault(name, Average()).add(losses[name].item(), count)
        if self.meters.accuracy:
            maps = outputs[-1].astype("float32").numpy()
            self.meters.accuracy.add(*accuracy(maps, batch["target"].numpy(), self.locate))
        now = perf_counter()
        self.meters.time.add(now - self.last)
        self.last = now
        if number % self.config.print_freq == 0:
            self.say(number, count)
            if self.pictures:
                self.pictures.save(number, batch, outputs[-1])

    def say(self, number: int, count: int) -> None:
        """Print the meters at step `number`, whose batch has `count` samples."""
        _LOG.info(test_line(self.meters, step=number, steps=self.steps))


class TrainWatch(Watch):
    """Lines and scalars of training."""

    def __init__(self, config: Config, writer: "LogWriter | None", pictures: DebugPictures | None) -> None:
        """Scalars go to `writer`, where there is one."""
        super().__init__(config, pictures)
        self.writer = writer

    def rate(self, value: float) -> float:
        """Note the learning rate of the step that comes."""
        self.meters.rate.add(value)
        return value

    def figures(self) -> dict[str, float]:
        """Means over the epoch so far, by name."""
        meters = {"lr": self.meters.rate, "loss": self.meters.loss, **self.meters.parts}
        meters |= {"accuracy": self.meters.accuracy} if self.meters.accuracy else {}
        return {name: meter.mean for name, meter in meters.items()}

    def say(self, number: int, count: int) -> None:
        """The training line, and loss, accuracy and learning rate as scalars."""
        meters, steps, batch = self.meters, self.steps, count * distributed.world()
        end = self.config.train.end_epoch
        _LOG.info(train_line(meters, epoch=self.epoch, step=number, steps=steps, end_epoch=end, batch=batch))
        if self.writer:
            scalars = {"loss": meters.loss, **{f"{name}_loss": part for name, part in meters.parts.items()}}
            scalars |= {"acc": meters.accuracy} if meters.accuracy else {}
            for name, meter in {**scalars, "lr": meters.rate}.items():
                self.writer.add_scalar(f"train_{name}", meter.value, self.epoch * steps + number)
