"""A whole picture as a training sample: the square that the network sees and the maps that it should answer with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import mask as outlines
from numpy.typing import NDArray

from paddlepose import codecs
from paddlepose.core.files import entry
from paddlepose.core.geometry import transform
from paddlepose.core.image import Picture, read_record, to_input, warp
from paddlepose.core.types import Card, ImageRecord, Person
from paddlepose.experiment import Config
from paddlepose.settings import DatasetSection

SHORT_SIDE = 200.0  # pixels of the shorter side in which MAX_TRANSLATE counts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PictureDraw:
    """How a sample differs from its picture: what part of its shorter side is shown, degrees, pixels, mirroring."""

    scale: float = 1.0
    rotation: float = 0.0
    shift: tuple[int, int] = (0, 0)
    flip: bool = False

    def matrix(self, picture_size: tuple[int, int], size: int) -> Floats:
        """Matrix (2, 3) from pixels of the picture to those of a square of `size`, which is not mirrored."""
        side = min(picture_size) * self.scale
        center = np.array(picture_size) / 2 + self.shift
        turn, middle = np.deg2rad(-self.rotation), np.full(2, size / 2)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = rotation * (size / side)
        return np.column_stack([linear, middle - linear @ center])


def draw(rng: np.random.Generator, options: DatasetSection, picture_size: tuple[int, int]) -> PictureDraw:
    """A draw with the distributions of the published training."""
    scale = rng.random() * (options.max_scale - options.min_scale) + options.min_scale
    rotation = (2 * rng.random() - 1) * options.rot_factor
    reach = int(options.max_translate * scale * min(picture_size) / SHORT_SIDE)
    x, y = rng.integers(-reach, reach, 2).tolist() if reach else (0, 0)
    return PictureDraw(scale, rotation, (x, y), bool(options.flip and rng.random() < 0.5))


class BottomUpSamples:
    """The pictures of a data set, numbered: what a data loader takes.

    A sample depends on the seed, the epoch and its number only, so it is the same whichever process makes it, and a run
    that is resumed sees what it would have seen. Its arrays are image (3, H, W), and as codecs.regression.Targets has
    them, heatmap0, mask0, heatmap1 and so on for each size of the heatmaps, offset and offset_weight.
    """

    def __init__(self, records: Sequence[ImageRecord], card: Card, config: Config) -> None:
        """Samples for the network of `card`, augmented as the configuration says."""
        self.records, self.card, self.options, self.seed = records, card, config.dataset, config.seed
        self.codec = codecs.build(card.codec)
        self.epoch = 0

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, NDArray[np.float32]]:
        """Sample `index`, with the augmentation that this epoch has for it."""
        record = self.records[index]
        picture = read_record(record)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        with entry(str(record.path)):
            return self.sample(record, picture, draw(rng, self.options, picture.shape[1::-1]))

    def sample(self, record: ImageRecord, picture: Picture, change: PictureDraw) -> dict[str, NDArray[np.float32]]:
        """Sample of a picture (H, W, 3), changed as a draw says."""
        size, full = picture.shape[1::-1], self.card.input_size[0]
        joints = with_centers(record.people, len(self.card.skeleton.joints), self.options.center_least_area)
        areas = np.array([person.box[2] * person.box[3] for person in record.people])
        areas *= (full / (min(size) * change.scale)) ** 2
        mask = labelled_mask(record.ignore, size).astype(np.uint8) * 255
        image = warp(picture, change.matrix(size, full), (full, full))
        placed, masks = [], []
        for side in self.codec.sizes:
            matrix = change.matrix(size, side)
            points = joints.copy()
            points[..., :2] = transform(joints[..., :2], matrix)
            shown = warp(mask, matrix, (side, side))
            placed.append(self._mirrored(points, side) if change.flip else points)
            masks.append((shown[:, ::-1] if change.flip else shown) > 255 / 2)
        targets = self.codec.encode(placed, areas, masks)
        image = to_input(np.ascontiguousarray(image[:, ::-1]) if change.flip else image, self.card)
        maps = {f"heatmap{i}": heatmap for i, heatmap in enumerate(targets.heatmaps)}
        maps |= {f"mask{i}": mask for i, mask in enumerate(targets.masks)}
        return {"image": image, **maps, "offset": targets.offset, "offset_weight": targets.offset_weight}

    def _mirrored(self, joints: Floats, width: int) -> Floats:
        """Joints (P, K + 1, 3) of the mirrored picture of `width` pixels."""
        order = [*self.card.skeleton.flip_order, joints.shape[1] - 1]
        return joints[:, order] * (-1, 1, 1) + (width - 1, 0, 0)


def with_centers(people: Sequence[Person], joints: int, least_area: float) -> Floats:
    """Joints (P, K + 1, 3: x, y, visibility) of people, the last their centre: the mean of the labelled ones of K.

    Without a labelled joint it is the box's; who has an area below `least_area`, or no box, has none.
    """
    made = []
    for person in people:
        points = person.joints * (person.joints[:, 2:] > 0)
        count = (points[:, 2] > 0).sum()
        center = points[:, :2].sum(0) / count if count else person.box[:2] + person.box[2:] / 2
        has_center = person.area >= least_area and person.box[2:].min() > 0
        made.append([*points, [*(center * has_center), has_center]])
    return np.array(made, np.float64).reshape(len(people), joints + 1, 3)


def labelled_mask(ignore: Sequence[Any], picture_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where (H, W) all people are labelled: outside the outlines, which are polygons or COCO's run lengths."""
    width, height = picture_size
    mask = np.ones((height, width), bool)
    for outline in ignore:
        with entry("an outline"):
            encoded = outline
            if isinstance(outline, list) or isinstance(outline["counts"], list):
                encoded = outlines.frPyObjects(outline, height, width)
            for one in encoded if isinstance(encoded, list) else [encoded]:
                mask &= outlines.decode(one) == 0
    return mask
