"""Poses drawn on a picture: the person's left, right and middle each in their own colour."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from paddlepose.core.image import Picture
from paddlepose.core.types import Pairs, Poses, Skeleton

LEFT, MIDDLE, RIGHT = 1, 0, -1

# Blue, green, red; a joint is a lighter tint of its side's colour, so that it stands out from the limb.
_LIMB_COLORS = {LEFT: (30, 140, 250), MIDDLE: (90, 200, 80), RIGHT: (250, 150, 40)}
_JOINT_COLORS = {LEFT: (120, 200, 255), MIDDLE: (170, 245, 160), RIGHT: (255, 215, 140)}

_PERSON_PER_LINE = 120  # a person of so many pixels is drawn with lines one pixel wide
_SHIFT = 4  # OpenCV takes coordinates in sixteenths of a pixel
_FARTHEST = 1e5  # OpenCV's integers overflow not far beyond; no picture is as wide


def draw(
    picture: Picture, poses: Poses, skeleton: Skeleton, *, threshold: float = 0.1, labels: Sequence[object] = ()
) -> Picture:
    """Copy of the picture (H, W, 3) with the poses on it, in pixels of that picture.

    Joints whose score is above `threshold` are drawn, the limbs between two such joints, and each person's label, if
    there are any, above the topmost joint.
    """
    drawn = picture.copy()
    side = sides(skeleton)
    for (xy, scores, _), label in zip(poses, labels or [""] * len(poses), strict=True):
        if (shown := scores > threshold).any():
            points = np.clip(xy, -_FARTHEST, _FARTHEST)
            _draw_person(drawn, points, shown, limbs=skeleton.limbs, side=side, label=str(label))
    return drawn


def sides(skeleton: Skeleton) -> list[int]:
    """LEFT, RIGHT or MIDDLE for each of the K joints.

    Of a pair that mirroring swaps, the joint whose name begins with `l` is left where the other's begins with `r`;
    where names do not tell, the first.
    """
    side = [MIDDLE] * len(skeleton.joints)
    for first, second in skeleton.flip_pairs:
        initials = [skeleton.joints[joint][:1].lower() for joint in (first, second)]
        side[first], side[second] = (RIGHT, LEFT) if initials == ["r", "l"] else (LEFT, RIGHT)
    return side


def _draw_person(
    drawn: Picture, xy: NDArray[np.float64], shown: NDArray[np.bool_], *, limbs: Pairs, side: list[int], label: str
) -> None:
    """Draw one pose (K, 2) onto `drawn`, limbs first; lines are as wide as suits the person's size."""
    size = min(float(np.ptp(xy[shown], axis=0).max()), max(drawn.shape))  # joints may lie far outside the picture
    width = max(1, round(size / _PERSON_PER_LINE))
    points = np.rint(xy * (1 << _SHIFT)).astype(int).tolist()
    for a, b in limbs:
        if shown[a] and shown[b]:
            # A limb from the middle to a side has that side's colour, one from left to right the middle's.
            color = _LIMB_COLORS[int(np.sign(side[a] + side[b]))]
            cv2.line(drawn, points[a], points[b], color, width, cv2.LINE_AA, _SHIFT)
    for joint in np.flatnonzero(shown):
        radius = (width + 1) << _SHIFT
        cv2.circle(drawn, points[joint], radius, _JOINT_COLORS[side[joint]], cv2.FILLED, cv2.LINE_AA, _SHIFT)
    x, y = np.rint(xy[shown][xy[shown, 1].argmin()]).astype(int).tolist()
    for color, thickness in (((0, 0, 0), 3 * width), ((255, 255, 255), width)):
        place = x - 5 * width, y - 8 * width
        cv2.putText(drawn, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * width, color, thickness, cv2.LINE_AA)
