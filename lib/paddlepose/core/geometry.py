"""Where a crop lies in an image, and the 2x3 matrices that lead from one to the other.

Points are (x, y) in pixels with pixel centres at integers; sizes are (width, height); boxes are (x, y, width, height).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from paddlepose.core.types import Skeleton

PADDING = 1.25  # factor by which boxes are enlarged before they are cropped (Simple Baselines, section 3)
SCALE_UNIT = 200.0  # pixels in the unit in which MPII's labels and results files give sizes


@dataclass(frozen=True, slots=True)
class Region:
    """The upright part of an image that a crop shows: its centre (2,) and size (2,), in pixels of the image."""

    center: NDArray[np.float64]
    size: NDArray[np.float64]

    @classmethod
    def from_box(cls, box: ArrayLike, aspect: float, padding: float = PADDING) -> "Region":
        """Smallest region of the given aspect (width / height) around a box (x, y, width, height), then enlarged.

        A box whose centre is at x = -1 exactly is not enlarged: so the first data sets marked "no centre".
        """
        x, y, width, height = np.asarray(box, np.float64)
        center = np.array([x + width / 2, y + height / 2])
        size = np.array([max(width, height * aspect), max(height, width / aspect)])
        return cls(center, size if center[0] == -1 else size * padding)

    @property
    def area(self) -> float:
        """Square pixels of the image."""
        return float(self.size.prod())


def crop_matrix(
    region: Region, out_size: tuple[int, int], rotation: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """Matrix (2, 3) from pixels of the image to pixels of a crop of `out_size`.

    The crop is centred on the region, turned by `rotation` degrees and moved by `shift` in units of the region's size.
    Its scale is that of the widths; the height follows from the crop's own aspect. The matrix is made from three
    corresponding points in float32, as in the published implementations, so that it equals theirs to the last digit.
    """
    width, height = out_size
    turn = np.deg2rad(rotation)
    up = region.size[0] / 2 * np.array([np.sin(turn), -np.cos(turn)])
    image_points = _three_points(region.center + region.size * shift, up)
    crop_points = _three_points(np.array([width / 2, height / 2]), np.array([0, -width / 2]))
    return cv2.getAffineTransform(image_points, crop_points)


def _three_points(center: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float32]:
    """Centre, the point above it and the corner of the square that both make: (3, 2)."""
    points = np.zeros((3, 2), np.float32)
    points[0], points[1] = center, center + up
    step_x, step_y = points[0] - points[1]
    points[2] = points[1] + np.array([-step_y, step_x], np.float32)
    return points


def resize_align(picture_size: tuple[int, int], target: int, scale: float = 1.0) -> tuple[tuple[int, int], Region]:
    """Size (width, height) of a whole picture as a bottom-up network's input, and the region that it shows.

    The shorter side becomes `target` pixels, both are rounded up to multiples of 64, and then multiplied by `scale`.
    """
    width, height = picture_size
    short = (target + 63) // 64 * 64
    long = int((short / min(width, height) * max(width, height) + 63) // 64 * 64)
    sides = int(short * scale), int(long * scale)
    size = sides if width < height else sides[::-1]
    step = width / size[0] if width < height else height / size[1]
    center = np.array([int(width / 2 + 0.5), int(height / 2 + 0.5)], np.float64)
    return size, Region(center, np.array(size) * step)


def fitting(picture_size: tuple[int, int], out_size: tuple[int, int], zoom: float = 1.0) -> NDArray[np.float64]:
    """Matrix (2, 3) that lays a whole picture into the middle of a crop, as large as fits, times `zoom`."""
    picture, out = np.array(picture_size, np.float64), np.array(out_size, np.float64)
    scale = zoom * (out / picture).min()
    return np.column_stack([np.eye(2) * scale, (out - 1) / 2 - scale * (picture - 1) / 2])


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix (2, 3) that undoes `matrix` (2, 3)."""
    return cv2.invertAffineTransform(matrix)


def transform(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 2) after the matrix (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def flip_joints(joints: NDArray[np.floating], width: int, skeleton: "Skeleton") -> NDArray[np.floating]:
    """Joints (K, 3: x, y, visibility) of the mirrored image of `width` pixels: left and right change names.

    Joints that are not visible become (0, 0).
    """
    flipped = joints[skeleton.flip_order]
    flipped[:, 0] = width - flipped[:, 0] - 1
    flipped[:, :2] *= flipped[:, 2:] > 0
    return flipped
