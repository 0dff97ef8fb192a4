"""Person detectors of other projects, known by their ONNX file's inputs and outputs.

- YOLOX (Ge et al., YOLOX: Exceeding YOLO Series in 2021): images (1, 3, H, W), in BGR from 0 to 255, with the picture
  at the top left on grey. It answers with the raw heads (1, N, 5 + classes), or, as MMDeploy writes it, with `dets`
  (1, N, 5: x1, y1, x2, y2, score) and `labels` (1, N). Class 0 is the person.
- MoveNet MultiPose (Google): images (1, h, w, 3) int32, in RGB, with sides that are multiples of 32 and black at the
  right and below. It answers with (1, 6, 56): 17 joints, then ymin, xmin, ymax, xmax and score of six people.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from paddlepose.codecs.centers import suppressed
from paddlepose.core.boxes import Rows
from paddlepose.core.image import Picture

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]  # the input in, the outputs out

_STRIDES = 8, 16, 32  # of YOLOX's heads
_GREY = 114  # around YOLOX's picture
_YOLOX_SIZE = 640  # of its input, where the file leaves it open
_LEAST_SCORE, _MOST_OVERLAP = 0.3, 0.45  # of YOLOX's boxes, as its demo has them
_ROW = 5  # numbers of a box and its score

_LONGER, _MULTIPLE = 256, 32  # of MultiPose's input
_LEAST_POSE_SCORE = 0.1  # of MultiPose's people
_POSE_ROW, _BOX_AT = 56, 51

_FORMS = (
    "a file that `paddlepose export` wrote, YOLOX's (1, 3, H, W) to (1, N, 5 + classes) or to dets and labels, or "
    "MoveNet MultiPose's (1, h, w, 3) to (1, 6, 56)"
)


class Node(NamedTuple):
    """An input or output: its name, and its shape with numbers where the file fixes them."""

    name: str
    shape: Sequence[int | str | None]


def detector(run: Run, inputs: Sequence[Node], outputs: Sequence[Node]) -> Callable[[Picture], Rows]:
    """Function from a picture to its people's boxes (N, 5), by a network whose form its nodes tell.

    Raises ValueError: they are of no form that is known here.
    """
    names = {node.name for node in outputs}
    if len(inputs) == 1 and len(inputs[0].shape) == 4:
        shape, last = inputs[0].shape, outputs[0].shape
        if shape[3] == 3 and len(outputs) == 1 and last[-1] == _POSE_ROW:
            return MultiPose(run)
        if shape[1] == 3:
            size = tuple(side if isinstance(side, int) else _YOLOX_SIZE for side in (shape[3], shape[2]))
            if {"dets", "labels"} <= names:
                at = [node.name for node in outputs].index
                return Yolox(run, size, found_at=(at("dets"), at("labels")))
            if len(outputs) == 1 and len(last) == 3 and isinstance(last[-1], int) and last[-1] > _ROW:
                return Yolox(run, size)
    shapes = "; ".join(f"{node.name} {list(node.shape)}" for node in (*inputs, *outputs))
    raise ValueError(f"its inputs and outputs ({shapes}) are of no detector known here: expected {_FORMS}")


class Yolox:
    """YOLOX, whose boxes are read of its heads, or of `dets` and `labels` where the file has them."""

    def __init__(self, run: Run, size: tuple[int, int], *, found_at: tuple[int, int] | None = None) -> None:
        """Input of `size` (width, height); `found_at` are the places of `dets` and `labels` among the outputs."""
        self.run, self.size, self.found_at = run, size, found_at

    def __call__(self, picture: Picture) -> Rows:
        """People's boxes and scores (N, 5: x, y, width, height, score) in pixels of a picture (H, W, 3), best first."""
        ratio = min(self.size[0] / picture.shape[1], self.size[1] / picture.shape[0])
        image = _at_top_left(picture, ratio, self.size, _GREY)
        outputs = self.run(image.transpose(2, 0, 1)[None].astype(np.float32))
        if self.found_at:
            dets, labels = (outputs[i][0] for i in self.found_at)
            dets = dets[labels == 0].astype(np.float64)
            rows = np.column_stack([dets[:, :2], dets[:, 2:4] - dets[:, :2], dets[:, 4]])
        else:
            rows = self._read(outputs[0][0].astype(np.float64))
        rows = rows[rows[:, 4] >= _LEAST_SCORE]
        rows = suppressed(rows[np.argsort(-rows[:, 4], kind="stable")], _MOST_OVERLAP)
        rows[:, :4] /= ratio
        return _inside(rows, picture)

    def _read(self, heads: NDArray[np.float64]) -> Rows:
        """Rows (N, 5) in pixels of the input, of raw heads (N, 5 + classes).

        Raises ValueError: there are not as many as the strides give for this input.
        """
        width, height = self.size
        cells = []
        for stride in _STRIDES:
            rows, columns = np.mgrid[: height // stride, : width // stride]
            cells.append(np.column_stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)]))
        cell = np.concatenate(cells).astype(np.float64)
        if len(heads) != len(cell):
            raise ValueError(f"detector: expected {len(cell)} boxes for an input of {width}x{height}, got {len(heads)}")
        size = np.exp(heads[:, 2:4].clip(-20, 20)) * cell[:, 2:]
        center = (heads[:, :2] + cell[:, :2]) * cell[:, 2:]
        return np.column_stack([center - size / 2, size, heads[:, 4] * heads[:, 5]])


class MultiPose:
    """MoveNet MultiPose, of which only the boxes are taken."""

    def __init__(self, run: Run) -> None:
        """Use the network function `run`."""
        self.run = run

    def __call__(self, picture: Picture) -> Rows:
        """People's boxes and scores (N, 5: x, y, width, height, score) in pixels of a picture (H, W, 3), best first."""
        ratio = _LONGER / max(picture.shape[:2])
        width, height = (-(-max(1, round(side * ratio)) // _MULTIPLE) * _MULTIPLE for side in picture.shape[1::-1])
        image = _at_top_left(picture, ratio, (width, height), 0)[..., ::-1]
        rows = self.run(image[None].astype(np.int32))[0][0].astype(np.float64)[:, _BOX_AT:]
        rows = rows[rows[:, 4] >= _LEAST_POSE_SCORE]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        low = rows[:, [1, 0]] * [width, height] / ratio
        high = rows[:, [3, 2]] * [width, height] / ratio
        return _inside(np.column_stack([low, high - low, rows[:, 4]]), picture)


def _at_top_left(picture: Picture, ratio: float, size: tuple[int, int], grey: int) -> Picture:
    """A picture, `ratio` times as large, at the top left of one of `size` (width, height)."""
    canvas = np.full((size[1], size[0], 3), grey, np.uint8)
    width, height = (
        min(most, max(1, int(side * ratio))) for most, side in zip(size, picture.shape[1::-1], strict=True)
    )
    canvas[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return canvas


def _inside(rows: Rows, picture: Picture) -> Rows:
    """What of the rows (N, 5) is inside the picture; those that are not, nor finite, are left out."""
    size = picture.shape[1::-1]
    low, high = rows[:, :2].clip(0, size), (rows[:, :2] + rows[:, 2:4]).clip(0, size)
    rows = np.column_stack([low, high - low, rows[:, 4]])
    return rows[np.isfinite(rows).all(1) & (rows[:, 2:4] > 0).all(1)]
