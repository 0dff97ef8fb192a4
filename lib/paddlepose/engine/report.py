"""What a run says while it goes: lines in the log and scalars for VisualDL."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter


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
    """Averages over the steps of an epoch: seconds a step, seconds waiting for data, loss, accuracy, learning rate.

    Attributes:
        parts: of the loss, by name, where it has any.
    """

    time: Average = field(default_factory=Average)
    data: Average = field(default_factory=Average)
    loss: Average = field(default_factory=Average)
    accuracy: Average = field(default_factory=Average)
    rate: Average = field(default_factory=Average)
    parts: dict[str, Average] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def loaded(self) -> None:
        """The batch is there."""
        self.data.add(perf_counter() - self._last)

    def stepped(self) -> None:
        """The step is done."""
        now = perf_counter()
        self.time.add(now - self._last)
        self._last = now


def train_line(meters: Meters, *, epoch: int, step: int, steps: int, end_epoch: int, batch: int) -> str:
    """Line of a training step, with the time that is left until `end_epoch` at the mean speed of this epoch."""
    left = int(((end_epoch - epoch) * steps - step) * meters.time.mean)
    eta = f"{left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}"
    return "\t".join(
        [
            f"Epoch: [{epoch}][{step}/{steps}]",
            f"Time {meters.time.value:.3f}s ({meters.time.mean:.3f}s)",
            f"Speed {batch / meters.time.value:.1f} samples/s",
            f"Data {meters.data.value:.3f}s ({meters.data.mean:.3f}s)",
            f"Lr {meters.rate.value:.5f} ({meters.rate.mean:.5f})",
            *(f"{name.upper()}_Loss {part.value:.5f} ({part.mean:.5f})" for name, part in meters.parts.items()),
            f"Loss {meters.loss.value:.5f} ({meters.loss.mean:.5f})",
            f"Accuracy {meters.accuracy.value:.3f} ({meters.accuracy.mean:.3f})",
            f"eta: {eta}",
        ]
    )


def test_line(meters: Meters, *, step: int, steps: int) -> str:
    """Line of a validation step."""
    return "\t".join(
        [
            f"Test: [{step}/{steps}]",
            f"Time {meters.time.value:.3f} ({meters.time.mean:.3f})",
            f"Loss {meters.loss.value:.4f} ({meters.loss.mean:.4f})",
            f"Accuracy {meters.accuracy.value:.3f} ({meters.accuracy.mean:.3f})",
        ]
    )
