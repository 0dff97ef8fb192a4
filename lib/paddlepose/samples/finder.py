"""Pictures of people for a detector: one, or four side by side, in the square that the network sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from paddlepose import codecs
from paddlepose.core.files import entry
from paddlepose.core.geometry import fitting, transform
from paddlepose.core.image import Picture, read_record, to_input, warp
from paddlepose.core.types import Card, ImageRecord
from paddlepose.experiment import Config
from paddlepose.samples.appearance import Appearance, changed, draw_appearance

Floats = NDArray[np.float64]

_SURE = 0.3  # score of a label below which a box is neither a person nor background
_SHARE_OF_FOUR = 0.5  # of the samples that show four pictures
_LEAST_VISIBLE = 0.35  # share of a box that must be inside the input; of less nobody can tell


class FinderSample(TypedDict):
    """Image (3, H, W), target (5, h, w) and weight (2, h, w), as codecs.centers has them."""

    image: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """How a picture is laid into a part of the input."""

    zoom: float  # of the picture that fits the part
    shift: tuple[float, float]  # of its centre, as a share of the part
    flip: bool
    appearance: Appearance | None


class FinderSamples:
    """The pictures of a data set, numbered: what a data loader takes.

    A sample depends on the seed, the epoch and its number only, so it is the same whichever process makes it, and a run
    that is resumed sees what it would have seen.
    """

    def __init__(self, records: Sequence[ImageRecord], card: Card, config: Config) -> None:
        """Samples for the network of `card`, varied as the configuration says."""
        self.records, self.card, self.options, self.seed = records, card, config.dataset, config.seed
        self.codec = codecs.build(card.codec)
        self.epoch = 0

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.records)

    def __getitem__(self, index: int) -> FinderSample:
        """Sample `index`, with the changes that this epoch has for it."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        width, height = self.card.input_size
        numbers, parts = [index], [(0, 0, width, height)]
        if rng.random() < _SHARE_OF_FOUR:
            numbers += rng.integers(len(self.records), size=3).tolist()
            parts = [(x, y, width // 2, height // 2) for y in (0, height // 2) for x in (0, width // 2)]
        canvas = np.zeros((height, width, 3), np.uint8)
        boxes, doubtful = [], []
        for number, (x, y, part_width, part_height) in zip(numbers, parts, strict=True):
            record = self.records[number]
            with entry(str(record.path)):
                size = part_width, part_height
                picture, placed = self.place(record, read_record(record), self.draw(rng), size)
            canvas[y : y + part_height, x : x + part_width] = picture
            sure = np.array([person.score >= _SURE and not person.crowd for person in record.people], bool)
            shown = visible_part(placed, size)
            kept = shown[:, 2:].prod(1) >= _LEAST_VISIBLE * placed[:, 2:].prod(1).clip(1e-9)
            shown[:, :2] += x, y
            boxes.append(shown[sure & kept])
            doubtful.append(shown[~(sure & kept)])
        target, weight = self.codec.encode(np.concatenate(boxes), np.concatenate(doubtful))
        return FinderSample(image=to_input(canvas, self.card), target=target, weight=weight)

    def draw(self, rng: np.random.Generator) -> Placed:
        """A draw: mostly smaller than the part, as people in everyday pictures are."""
        low, high = np.log([self.options.min_scale, self.options.max_scale])
        zoom = float(np.exp(rng.uniform(low, high)))
        room = abs(1 - zoom) / 2 + 0.1
        shift = tuple(rng.uniform(-room, room, 2).tolist())
        flip = bool(self.options.flip and rng.random() < 0.5)
        return Placed(zoom, shift, flip, draw_appearance(rng, self.options))

    def place(
        self, record: ImageRecord, picture: Picture, change: Placed, size: tuple[int, int]
    ) -> tuple[Picture, Floats]:
        """The part (h, w, 3) of the input that a picture fills, and its people's boxes (N, 4) there."""
        matrix = fitting(picture.shape[1::-1], size, change.zoom)
        matrix[:, 2] += np.array(change.shift) * size
        part = warp(picture, matrix, size)
        boxes = np.array([person.box for person in record.people], np.float64).reshape(-1, 4)
        corners = transform(np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1), matrix)
        if change.flip:
            part = np.ascontiguousarray(part[:, ::-1])
            corners[..., 0] = (size[0] - 1 - corners[..., 0])[:, ::-1]
        if change.appearance:
            part = changed(part, change.appearance)
        return part, np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], 1)


def visible_part(boxes: Floats, size: tuple[int, int]) -> Floats:
    """What of boxes (N, 4: x, y, width, height) is inside a picture of (width, height)."""
    low = boxes[:, :2].clip(0, size)
    high = (boxes[:, :2] + boxes[:, 2:]).clip(0, size)
    return np.concatenate([low, high - low], 1)
