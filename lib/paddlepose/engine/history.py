"""The figures of a run, epoch by epoch: `metrics.csv` and `curves.png` in its folder."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from paddlepose.core.files import written_beside

TABLE, PICTURE = "metrics.csv", "curves.png"
_COLUMNS = 3  # of plots


class History:
    """Rows of figures by epoch, kept on the disk."""

    def __init__(self, folder: Path, first: int) -> None:
        """A run in `folder` that goes on at epoch `first`: rows of earlier epochs stay."""
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        if first and (folder / TABLE).is_file():
            with (folder / TABLE).open(newline="") as file:
                rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if row["epoch"] < first]

    def add(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take an epoch's figures, in place of those that it has already, and write the table and the curves."""
        self.rows = [row for row in self.rows if row["epoch"] < epoch] + [{"epoch": epoch, **figures}]
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with written_beside(self.folder / TABLE) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
        self._draw(names[1:])

    def epochs_without_gain(self, name: str) -> int:
        """Number of epochs since the best figure of a name; 0 while there is none."""
        values = [row.get(name, -math.inf) for row in self.rows]
        best = max(values, default=-math.inf)
        return len(values) - 1 - values.index(best) if best > -math.inf else 0

    def _draw(self, names: list[str]) -> None:
        """One plot a figure."""
        from matplotlib.figure import Figure  # takes a second to import, and most commands do without

        lines = -(-len(names) // _COLUMNS)
        figure = Figure((4 * _COLUMNS, 2.6 * lines), layout="constrained")
        for i, name in enumerate(names, 1):
            axes = figure.add_subplot(lines, _COLUMNS, i, title=name)
            points = [(row["epoch"], row[name]) for row in self.rows if name in row]
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 50 else "")
            axes.grid(alpha=0.3)
        with written_beside(self.folder / PICTURE) as unfinished:
            figure.savefig(unfinished, format="png", dpi=80)
