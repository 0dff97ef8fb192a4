"""From a picture to its people's boxes: a detector's network function and its card."""

import numpy as np

from paddlepose import codecs
from paddlepose.core.boxes import Rows
from paddlepose.core.geometry import fitting, invert, transform
from paddlepose.core.image import Picture, to_input, warp
from paddlepose.core.predict import Network
from paddlepose.core.types import Card


class Finder:
    """Boxes of the people in a picture, by a network that sees the whole of it, as large as its input takes."""

    def __init__(self, network: Network, card: Card) -> None:
        """Use `network` as its `card` says."""
        self.network, self.card = network, card
        self.codec = codecs.build(card.codec)

    def __call__(self, picture: Picture) -> Rows:
        """Boxes and scores (N, 5: x, y, width, height, score) in a picture (H, W, 3), in its pixels, best first."""
        matrix = fitting(picture.shape[1::-1], self.card.input_size)
        crop = warp(picture, matrix, self.card.input_size)
        rows = self.codec.decode(self.network(to_input(crop, self.card)[None])[-1][0])
        corners = transform(np.stack([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1), invert(matrix))
        corners = corners.clip(0, picture.shape[1::-1])
        return np.column_stack([corners[:, 0], corners[:, 1] - corners[:, 0], rows[:, 4]])
