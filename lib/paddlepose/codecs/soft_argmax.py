"""Gaussian heatmaps read at the mean of their softmax (Zhang et al., Simple and Lightweight Pose Estimation, 3.3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paddlepose.codecs import heatmap
from paddlepose.codecs.heatmap import Maps, Points, Scores, quarter_offset


@dataclass(frozen=True)
class Codec(heatmap.Codec):
    """Heatmaps as those of `heatmap`, decoded by the soft-argmax."""

    beta: float = 160.0  # factor of the maps before their softmax; the greater, the nearer to the maximum
    # `lpn`, as the authors decode: the score is the map's value at the nearest pixel, and the quarter of a pixel is
    # added as to a maximum. `lp_net`, as the other implementation does: the score is the maximum, joints of scores not
    # above 0 are at (0, 0), and nothing is added
    form: Literal["lpn", "lp_net"] = "lpn"

    def decode(self, maps: Maps) -> tuple[Points, NDArray[np.float64]]:
        """Joints (B, K, 2) in pixels of the crop and their scores (B, K), from maps (B, K, h, w)."""
        if self.form == "lp_net":
            xy, scores = self.locate(maps)
        else:
            xy = soft_argmax(maps, self.beta)
            x, y = np.moveaxis(np.rint(xy).astype(np.int64), -1, 0)
            batch, joint = np.ogrid[: maps.shape[0], : maps.shape[1]]
            scores = maps[batch, joint, y, x]
            if self.post_process:
                xy = xy + quarter_offset(maps, xy)
        return xy * self.stride, scores.astype(np.float64)

    def locate(self, maps: Maps) -> tuple[Points, Scores]:
        """Places (B, K, 2) and maxima (B, K) by which training's accuracy is taken: in the authors' form the maxima's.

        Places are in pixels of the map, (0, 0) where the maximum is not above 0.
        """
        xy, scores = super().locate(maps)
        if self.form == "lp_net":
            xy = soft_argmax(maps, self.beta) * (scores > 0)[..., None]
        return xy, scores


def soft_argmax(maps: Maps, beta: float) -> Points:
    """Mean place (B, K, 2) in pixels of the map, under the softmax of `beta` times the values of maps (B, K, h, w)."""
    height, width = maps.shape[2:]
    weights = np.exp(beta * (maps - maps.max((2, 3), keepdims=True)).astype(np.float64))
    weights /= weights.sum((2, 3), keepdims=True)
    return np.stack([weights.sum(2) @ np.arange(width), weights.sum(3) @ np.arange(height)], -1)
