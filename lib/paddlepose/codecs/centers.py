"""People's boxes as maps: a peak at each centre, and there the distances to the four sides.

The peaks and their loss are those of CenterNet (Zhou et al., Objects as Points, sections 3 and 4), the distances those
of TTFNet (Liu et al., Training-Time-Friendly Network for Real-Time Object Detection, section 3.3).
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
Maps = NDArray[np.float32]

CHANNELS = 5  # the centres, then the logarithms of the distances to the left, the top, the right and the bottom

_SPREAD = 0.09  # standard deviation of a peak, as a share of the box's width and height (TTFNet)
_LEAST_SPREAD = 0.6  # pixels of the map
_NEAR = 0.3  # height of the peak above which distances are learned
_LEAST_DISTANCE = 0.1  # pixels of the map
_LARGEST = 6.0  # of a logarithm: e to this is more pixels than a map has


@dataclass(frozen=True)
class Codec:
    """Boxes in pixels of the input, read from the peaks of the first map."""

    kind: ClassVar[str] = "detector"

    input_size: tuple[int, int]  # (width, height)
    heatmap_size: tuple[int, int]  # (width, height) of the maps
    max_num_people: int = 30  # in a picture
    least_score: float = 0.25  # of a box that is kept
    most_overlap: float = (
        0.6  # of two boxes, intersection over union; of a pair that overlaps more the better one stays
    )

    @property
    def stride(self) -> NDArray[np.float64]:
        """Pixels of the input per pixel of the map, (2,): x, y."""
        return np.array(self.input_size) / np.array(self.heatmap_size)

    def encode(self, boxes: Boxes, doubtful: Boxes) -> tuple[Maps, Maps]:
        """Target (5, h, w) and weight (2, h, w), of the centres and of the distances, for boxes (N, 4: x, y, w, h).

        Inside `doubtful` boxes (M, 4) nothing counts for the centres. Boxes whose centre is outside the map are none.
        """
        width, height = self.heatmap_size
        target = np.zeros((CHANNELS, height, width), np.float32)
        weight = np.stack([np.ones((height, width), np.float32), np.zeros((height, width), np.float32)])
        to_map = np.tile(self.stride, 2)
        for x, y, w, h in doubtful / to_map:
            weight[0, max(0, int(y)) : max(0, int(y + h + 1)), max(0, int(x)) : max(0, int(x + w + 1))] = 0
        order = np.argsort(-boxes[:, 2:].prod(1), kind="stable")  # a small box is written over a large one
        for box in boxes[order] / to_map:
            column, row = np.floor(box[:2] + box[2:] / 2).astype(int).tolist()
            if 0 <= column < width and 0 <= row < height:
                self._write(box, column, row, target, weight)
        return target, weight

    def _write(self, box: NDArray[np.float64], column: int, row: int, target: Maps, weight: Maps) -> None:
        """Write one box (4,), in pixels of the map, whose centre is in a column and a row, into target and weight."""
        x, y, w, h = box
        columns, rows = np.arange(target.shape[2])[None], np.arange(target.shape[1])[:, None]
        spread = np.maximum(_SPREAD * box[2:], _LEAST_SPREAD)
        peak = np.exp(-(((columns - column) / spread[0]) ** 2 + ((rows - row) / spread[1]) ** 2) / 2)
        target[0] = np.maximum(target[0], peak)
        weight[0, row, column] = 1
        near = peak > _NEAR
        columns, rows = columns + 0.5, rows + 0.5  # the middle of a pixel of the map
        for channel, side in enumerate((columns - x, rows - y, x + w - columns, y + h - rows), 1):
            target[channel][near] = np.log(np.broadcast_to(side, near.shape)[near].clip(_LEAST_DISTANCE))
        weight[1][near] = peak[near]

    def decode(self, maps: Maps) -> Boxes:
        """Boxes and scores (N, 5: x, y, width, height, score) in pixels of the input, of maps (5, h, w), best first."""
        scores = 1 / (1 + np.exp(-maps[0].astype(np.float64)))
        is_peak = scores == cv2.dilate(scores, np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(is_peak & (scores >= self.least_score))
        best = np.argsort(-scores[rows, columns], kind="stable")[: self.max_num_people]
        rows, columns = rows[best], columns[best]
        left, top, right, bottom = np.exp(maps[1:, rows, columns].astype(np.float64).clip(-_LARGEST, _LARGEST))
        corner = np.stack([columns + 0.5 - left, rows + 0.5 - top], -1) * self.stride
        size = np.stack([left + right, top + bottom], -1) * self.stride
        return suppressed(np.column_stack([corner, size, scores[rows, columns]]), self.most_overlap)


def suppressed(rows: Boxes, most_overlap: float) -> Boxes:
    """Those of the rows (N, 5), sorted by score, that do not overlap a better one by more."""
    overlap = overlaps(rows[:, :4], rows[:, :4])
    kept: list[int] = []
    for i in range(len(rows)):
        if all(overlap[i, j] <= most_overlap for j in kept):
            kept.append(i)
    return rows[kept]


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4: x, y, width, height) with others (M, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = (high - low).clip(0).prod(-1)
    return shared / np.maximum(boxes[:, 2:].prod(-1)[:, None] + others[:, 2:].prod(-1) - shared, 1e-9)
