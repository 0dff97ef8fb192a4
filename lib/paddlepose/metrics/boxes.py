"""How many people a detector finds, and how many it makes up: recall and average precision at an overlap of a half."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paddlepose.codecs.centers import overlaps
from paddlepose.core.boxes import Rows
from paddlepose.core.types import ImageRecord

_OVERLAP = 0.5  # intersection over union of a box that is found
_SURE = 0.3  # score of a label below which it is neither a person nor background
_HIGH = 0.2  # of the picture's height: who is higher should be found


@dataclass
class Found:
    """Figures of boxes found in pictures, against the records' people."""

    headline: str = "AP .5"
    _scores: list[NDArray[np.float64]] = field(default_factory=list)
    _hits: list[NDArray[np.bool_]] = field(default_factory=list)
    _found: list[bool] = field(default_factory=list)  # of each labelled person
    _high: list[bool] = field(default_factory=list)

    def add(self, record: ImageRecord, rows: Rows, height: int) -> None:
        """Take the boxes (N, 5), best first, of a picture of so many pixels' height.

        Doubtful people and crowds are neither found nor missed, and a box on them is no mistake.
        """
        sure = np.array([person.score >= _SURE and not person.crowd for person in record.people], bool)
        boxes = np.array([person.box for person in record.people], np.float64).reshape(-1, 4)
        overlap = overlaps(rows[:, :4], boxes)
        taken, hits, counts = np.zeros(len(boxes), bool), np.zeros(len(rows), bool), np.ones(len(rows), bool)
        for i, likeness in enumerate(overlap):
            free = np.where(taken | ~sure, 0, likeness)
            if len(free) and free.max() >= _OVERLAP:
                taken[free.argmax()] = hits[i] = True
            elif len(likeness) and (likeness * ~sure).max() >= _OVERLAP:
                counts[i] = False
        self._scores.append(rows[counts, 4])
        self._hits.append(hits[counts])
        self._found += taken[sure].tolist()
        self._high += (boxes[sure, 3] >= _HIGH * height).tolist()

    def compute(self) -> dict[str, float]:
        """`AP .5`, the recall of all people and that of people higher than a fifth of the picture; -1 without any."""
        found, high = np.array(self._found, bool), np.array(self._high, bool)
        if not len(found):
            return dict.fromkeys(("AP .5", "Recall", "Recall (high)"), -1.0)
        order = np.argsort(-np.concatenate(self._scores), kind="stable")
        hits = np.concatenate(self._hits)[order].cumsum()
        precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
        recall = hits / len(found)
        steps = np.linspace(0, 1, 101)  # as COCO's evaluation takes them
        places = np.searchsorted(recall, steps)
        ap = np.where(places < len(recall), precision[np.minimum(places, len(recall) - 1)], 0) if len(hits) else [0.0]
        return {
            "AP .5": float(np.mean(ap)),
            "Recall": float(found.mean()),
            "Recall (high)": float(found[high].mean()) if high.any() else -1.0,
        }
