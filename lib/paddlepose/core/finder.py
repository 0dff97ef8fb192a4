"""From a picture to its people's boxes: a detector's network function and its card."""

import numpy as np
from numpy.typing import NDArray

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
        image, matrix = fitted_input(picture, self.card)
        rows = self.codec.decode(self.network(image[None])[-1][0])
        corners = transform(np.stack([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1), invert(matrix))
        corners = corners.clip(0, picture.shape[1::-1])
        return np.column_stack([corners[:, 0], corners[:, 1] - corners[:, 0], rows[:, 4]])


def fitted_input(picture: Picture, card: Card) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Network input (3, H, W) that shows a whole picture, and the matrix (2, 3) from the picture to it."""
    matrix = fitting(picture.shape[1::-1], card.input_size)
    return to_input(warp(picture, matrix, card.input_size), card), matrix
