"""From poses to the figures that papers print. No Paddle: saved results can be measured anywhere."""

from collections.abc import Mapping
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


def markdown(arch: str, figures: Mapping[str, float]) -> list[str]:
    """Lines of a table with one row: the architecture's name, then the figures to three decimals.

    A figure below 0, of whom nobody is labelled, is `-`.
    """
    rows = ("Arch", *figures), (arch, *(f"{value:.3f}" if value >= 0 else "-" for value in figures.values()))
    names, values = (f"| {' | '.join(cells)} |" for cells in rows)
    return [names, "|" + "---|" * (1 + len(figures)), values]
