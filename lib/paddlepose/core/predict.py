"""From a picture to poses: a network function and its card are all that is needed, whatever runs the network."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paddlepose import codecs
from paddlepose.core.geometry import Region, crop_matrix, invert, transform
from paddlepose.core.image import Picture, to_input, warp
from paddlepose.core.types import Card, Poses

# Images (B, 3, H, W) in, the network's outputs out; the last one is its answer.
Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]

MOST_CROPS = 64  # people that go through the network at once; a crowd takes several turns, and memory stays bounded


class TopDown:
    """Poses of people whose boxes are known: each is cropped, and one pose is read from each crop."""

    def __init__(self, network: Network, card: Card, *, flip_test: bool = False) -> None:
        """Use `network` as its `card` says; `flip_test` averages over the crop and its mirror image."""
        self.network = network
        self.card = card
        self.flip_test = flip_test
        self.codec = codecs.build(card.codec)

    def __call__(self, picture: Picture, boxes: ArrayLike, scores: Sequence[float] | None = None) -> Poses:
        """Poses of the people in a picture (H, W, 3: uint8, BGR), one a box, in pixels of the picture.

        Boxes are (N, 4: x, y, width, height). A pose's score is its joints' mean, times its box's of `scores` (N,).
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        if not len(boxes):
            return Poses.empty(len(self.card.skeleton.joints))
        width, height = self.card.input_size
        regions = [Region.from_box(box, width / height, self.card.padding) for box in boxes]
        crops = [warp(picture, crop_matrix(region, self.card.input_size), self.card.input_size) for region in regions]
        maps = [
            self.outputs(np.stack([to_input(crop, self.card) for crop in crops[start : start + MOST_CROPS]]))
            for start in range(0, len(crops), MOST_CROPS)
        ]
        poses = self.poses(np.concatenate(maps), regions)
        return poses if scores is None else Poses(poses.xy, poses.scores, poses.score * np.asarray(scores))

    def outputs(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's answer (B, K, h, w) for crops (B, 3, H, W), averaged with their mirror images' if so asked."""
        if not self.flip_test:
            return self.network(images)[-1]
        maps, mirrored = np.split(self.network(np.concatenate([images, images[..., ::-1]]))[-1], 2)
        return (maps + self.codec.flip(mirrored, self.card.skeleton)) * np.float32(0.5)

    def poses(self, maps: NDArray[np.float32], regions: Sequence[Region]) -> Poses:
        """Poses in pixels of the images, from maps (B, K, h, w) of crops that show `regions`."""
        xy, scores = self.codec.decode(maps)
        matrices = [invert(crop_matrix(region, self.card.input_size)) for region in regions]
        xy = np.stack([transform(points, matrix) for points, matrix in zip(xy, matrices, strict=True)])
        return Poses(xy, scores, scores.mean(1))
