"""Poses of all sources in one file: a table of joints, or lines of JSON as they are found."""

import csv
from pathlib import Path

from paddlepose.core.result import COLUMNS, Result


class Table:
    """Writes the joints of results to a CSV file; what a source that failed has added is taken out again."""

    def __init__(self, path: Path) -> None:
        """Begin the file with a line of titles."""
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self.keep()

    def add(self, result: Result) -> None:
        """Write a result's joints."""
        self._rows.writerows(result.rows())

    def keep(self) -> None:
        """What was added stays."""
        self._kept = self._file.tell()

    def undo(self) -> None:
        """Take out what was added since `keep`."""
        self._file.seek(self._kept)
        self._file.truncate()

    def close(self) -> None:
        """End the file."""
        self._file.close()
