"""One map a joint with a Gaussian at its place (Simple Baselines, section 3; HRNet, section 3)."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.types import Skeleton

Maps = NDArray[np.float32]
Points = NDArray[np.float64]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Codec:
    """Gaussian heatmaps, decoded at their maximum."""

    kind: ClassVar[str] = "top_down"

    input_size: tuple[int, int]  # (width, height) of the crop
    heatmap_size: tuple[int, int]  # (width, height) of the maps
    sigma: float = 2.0  # standard deviation of the Gaussian, in pixels of the map
    shift_heatmap: bool = True  # in the flip test, move the mirrored maps one pixel to the right, which aligns them
    post_process: bool = True  # move each maximum a quarter of a pixel towards its higher neighbour

    @cached_property
    def stride(self) -> NDArray[np.float64]:
        """Pixels of the crop per pixel of the map, (2,): x, y."""
        return np.array(self.input_size) / np.array(self.heatmap_size)

    def encode(self, joints: NDArray[np.floating]) -> tuple[Maps, NDArray[np.float32]]:
        """Maps (K, h, w) and weights (K, 1) of joints (K, 3: x, y, visibility) in pixels of the crop.

        The Gaussian stands on a whole pixel, reaches three sigma and has the height 1. A joint whose Gaussian misses
        the map has weight 0; one just outside, whose tail is on the map, keeps its weight.
        """
        width, height = self.heatmap_size
        peak = (joints[:, :2] / self.stride + 0.5).astype(np.int64)
        reach = int(3 * self.sigma)
        inside = ((peak - reach < [width, height]) & (peak + reach + 1 >= 0)).all(1)
        weight = np.where(inside, joints[:, 2], 0).astype(np.float32)
        rows, columns = self._profile(peak[:, 1], height, reach), self._profile(peak[:, 0], width, reach)
        rows *= (weight > 0.5)[:, None]
        return rows[:, :, None] * columns[:, None, :], weight[:, None]

    def _profile(self, peak: NDArray[np.int64], length: int, reach: int) -> Maps:
        """One-dimensional Gaussians (K, length) at `peak` (K,); zero beyond `reach`."""
        distance = np.arange(length) - peak[:, None]
        values = np.exp(-(distance**2) / (2 * self.sigma**2))
        return np.where(np.abs(distance) <= reach, values, 0).astype(np.float32)

    def decode(self, maps: Maps) -> tuple[Points, NDArray[np.float64]]:
        """Joints (B, K, 2) in pixels of the crop and their scores (B, K), from maps (B, K, h, w).

        The score is the maximum; where it is not above 0 the joint is at (0, 0).
        """
        xy, scores = self.locate(maps)
        if self.post_process:
            xy = xy + quarter_offset(maps, xy)
        return xy * self.stride, scores.astype(np.float64)

    def locate(self, maps: Maps) -> tuple[Points, Scores]:
        """Places (B, K, 2) in pixels of the map and values (B, K) of the maxima, by which training's accuracy is taken.

        Places are (0, 0) where the value is not above 0.
        """
        return peaks(maps)

    def flip(self, maps: Maps, skeleton: Skeleton) -> Maps:
        """Maps (B, K, h, w) of a mirrored crop, as if it had not been mirrored."""
        flipped = maps[:, skeleton.flip_order, :, ::-1]
        if not self.shift_heatmap:
            return flipped
        return np.concatenate([flipped[..., :1], flipped[..., :-1]], axis=-1)


def peaks(maps: Maps) -> tuple[Points, Scores]:
    """First maximum of each map: its place (B, K, 2) in pixels of the map, (0, 0) if not above 0, and value (B, K)."""
    flat = maps.reshape(*maps.shape[:2], -1)
    y, x = np.divmod(flat.argmax(-1), maps.shape[-1])
    values = flat.max(-1)
    return np.stack([x, y], -1) * (values > 0)[..., None].astype(np.float64), values


def quarter_offset(maps: Maps, xy: Points) -> Points:
    """A quarter pixel (B, K, 2) towards the higher neighbour; none for places at x or y of 1, or at the border."""
    height, width = maps.shape[2:]
    place = (xy + 0.5).astype(np.int64)
    inside = ((place > 1) & (place < (width - 1, height - 1))).all(-1, keepdims=True)
    x, y = np.moveaxis(np.where(inside, place, 1), -1, 0)
    index = np.arange(x.size).reshape(x.shape) * (height * width) + y * width + x
    before_after = np.array([[-1, 1], [-width, width]])  # along x, along y
    around = maps.reshape(-1)[index[..., None, None] + before_after]
    return 0.25 * np.sign(around[..., 1] - around[..., 0]) * inside
