"""From poses to the figures that papers print. No Paddle: saved results can be measured anywhere."""

from typing import Protocol

from paddlepose.core.types import ImageRecord, Poses


class Metric(Protocol):
    """What every data set's `metric` returns."""

    def add(self, record: ImageRecord, poses: Poses) -> None:
        """Take the poses of a record's people, in their order."""

    def compute(self) -> dict[str, float]:
        """The figures by name, in the table's order."""

    @property
    def headline(self) -> str:
        """Name of the figure by which models are compared."""
