"""Everybody at once: a heatmap a joint, one of people's centres, and at each pixel the way to its person's joints.

As in the bottom-up regression HRNet (Sun et al., Bottom-Up Human Pose Estimation by Ranking Heatmap-Guided Adaptive
Keypoint Estimates), whose published code this follows to the digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paddlepose.codecs._snap import absorb, adjust, local_maxima
from paddlepose.core.limits import MOST_PEOPLE
from paddlepose.core.types import Poses, Skeleton

Maps = NDArray[np.float32]
Floats = NDArray[np.float64]


class Targets(NamedTuple):
    """What a network should answer to one picture; the lists have one entry for each size of its heatmaps."""

    heatmaps: list[Maps]  # (K + 1, h, w): the joints', then the centres'
    masks: list[Maps]  # (1, h, w): how much each pixel counts
    offset: Maps  # (2 K, h, w) of the first size: x, y from each joint to the pixel
    offset_weight: Maps  # (2 K, h, w): 0 where no person's centre is near


class Answer(NamedTuple):
    """What a network says of one picture, one entry for each scale at which it was shown, in pixels of the maps."""

    heatmaps: list[Maps]  # (K + 1, h, w)
    positions: list[Maps]  # (2 K, h, w): x, y of the joints of the person whose centre the pixel is
    fused: Maps  # (K + 1, H, W): the heatmaps' mean, in pixels of the network's input at scale 1


@dataclass(frozen=True)
class Codec:
    """Centres and offsets, and heatmaps that correct them."""

    kind: ClassVar[str] = "bottom_up"

    input_size: tuple[int, int]  # (width, height) of the network's input in training; both are the same
    heatmap_size: tuple[int, int]  # (width, height) of the heatmaps, or of the finer ones where there are two sizes
    sigma: float = 2.0  # of the joints' Gaussians, in pixels of the map
    center_sigma: float = 4.0  # of the centres' Gaussians
    # how much pixels without a joint count, for each size of the heatmaps, the coarser first
    bg_weight: tuple[float, ...] = (0.1,)
    offset_radius: int = 4  # pixels around a centre at which there are offsets
    max_num_people: int = 30  # that are looked for
    dist_threshold: float = 10.0  # pixels below which two joints are at one place
    overlap_threshold: int = 10  # two poses are one if more joints than this are at one place
    scale_decrease: float = 0.001  # factor on the scores of people who are seen only at another scale than 1
    keypoint_threshold: float = 0.01  # least heat of a centre, and of a joint that counts
    adjust_threshold: float = 0.05  # least score of a joint that is placed between pixels
    max_absorb_distance: float = 75.0  # pixels from which a peak attracts a joint
    # sizes of a map above which a centre has to be the highest of 7x7, or 5x5, pixels; else of 3x3
    pool_thresholds: tuple[float, float] = (300.0, 200.0)

    def __post_init__(self) -> None:
        """Hold the number of people to what memory takes. Raises ValueError: it is beyond that."""
        if not 0 < self.max_num_people <= MOST_PEOPLE:
            raise ValueError(f"codec: max_num_people {self.max_num_people}: expected 1 to {MOST_PEOPLE}")

    @property
    def sizes(self) -> list[int]:
        """Pixels a side of the heatmaps in training, the coarser first."""
        levels = len(self.bg_weight)
        return [self.heatmap_size[0] // 2 ** (levels - 1 - level) for level in range(levels)]

    @property
    def mirror_shifts(self) -> list[int]:
        """Pixels of the input by which a mirrored picture is moved so that the maps of each size align."""
        return [self.input_size[0] // size - 1 for size in self.sizes]

    def join(self, outputs: Sequence[Maps]) -> tuple[Maps, Maps]:
        """Heatmaps (B, K + 1, h, w) and positions (B, 2 K, h', w') from a network's outputs.

        These are heatmaps of each size, then offsets. Several heatmaps of one size, one after another among the
        channels, give their maximum; those of two sizes their mean in the finer; the centres' are of the coarser alone.
        """
        *levels, offsets = outputs
        batch, channels, height, width = offsets.shape
        coarse = levels[0].reshape(batch, -1, channels // 2 + 1, height, width)
        heatmaps = coarse[:, 0] if coarse.shape[1] == 1 else coarse.max(1)
        if len(levels) > 1:
            heatmaps = up_interpolate(heatmaps, levels[1].shape[2:])
            heatmaps[:, :-1] = (heatmaps[:, :-1] + levels[1]) * np.float32(0.5)
        grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
        return heatmaps, np.tile(grid, (channels // 2, 1, 1)) - offsets

    def encode(self, joints: Sequence[Floats], areas: Floats, masks: Sequence[Maps]) -> Targets:
        """Targets of a picture's people.

        Args:
            joints: (P, K + 1, 3: x, y, visibility) for each size, in its pixels; the last is the centre.
            areas: (P,), square pixels of the input.
            masks: (h, w) for each size, 0 where people are not labelled.
        """
        made = [
            self.heatmap(points, size, weight)
            for points, size, weight in zip(joints, self.sizes, self.bg_weight, strict=True)
        ]
        masks = [mask * near for mask, (_, near) in zip(masks, made, strict=True)]
        return Targets([maps for maps, _ in made], masks, *self.offsets(joints[0], areas, self.sizes[0]))

    def heatmap(self, joints: Floats, size: int, bg_weight: float) -> tuple[Maps, Maps]:
        """Gaussians (K + 1, size, size) of joints (P, K + 1, 3), and 1 near any of them, else `bg_weight` (1, ...)."""
        maps = np.zeros((joints.shape[1], size, size), np.float32)
        near = np.full((1, size, size), bg_weight, np.float32)
        sigma = np.full(joints.shape[1], self.sigma)
        sigma[-1] = self.center_sigma
        person, joint = np.nonzero((joints[..., 2] > 0) & ((joints[..., :2] >= 0) & (joints[..., :2] < size)).all(2))
        places, sigma = joints[person, joint, :2], sigma[joint]
        first = np.maximum(np.floor(places - 3 * sigma[:, None] - 1), 0).astype(np.int64)
        last = np.minimum(np.ceil(places + 3 * sigma[:, None] + 2), size).astype(np.int64)
        steps = np.arange((last - first).max(initial=0))
        profiles = np.exp(-((first[..., None] + steps - places[..., None]) ** 2) / (2 * sigma**2)[:, None, None])
        profiles = profiles.astype(np.float32)
        for k, (x, y), (right, bottom), (across, down) in zip(
            joint.tolist(), first.tolist(), last.tolist(), profiles, strict=True
        ):
            window = maps[k, y:bottom, x:right]
            np.maximum(window, down[: bottom - y, None] * across[: right - x], out=window)
            near[0, y:bottom, x:right] = 1
        return maps, near

    def offsets(self, joints: Floats, areas: Floats, size: int) -> tuple[Maps, Maps]:
        """Offsets (2 K, size, size) from joints (P, K + 1, 3) to the pixels around their centres, and their weights.

        Where people overlap the smaller has the pixel; the weight is 1 / sqrt(area). Areas are compared in different
        precisions and an offset of exactly 0 counts as none: the published targets are made so.
        """
        count = joints.shape[1] - 1
        offset, weight = np.zeros((2, count, 2, size, size), np.float32)
        owner = np.zeros((size, size), np.float32)  # area of the person who wrote last, whichever joint
        inside = (joints[..., 2] > 0) & ((joints[..., :2] >= 0) & (joints[..., :2] < size)).all(2)
        for person, area, seen in zip(joints, np.float64(areas).ravel(), inside, strict=True):
            x, y = person[-1, :2].astype(np.int64).tolist()
            if person[-1, 2] < 1 or not (0 <= x < size and 0 <= y < size):
                continue
            rows = slice(max(0, y - self.offset_radius), min(size, y + self.offset_radius))
            columns = slice(max(0, x - self.offset_radius), min(size, x + self.offset_radius))
            visible = np.flatnonzero(seen[:-1])
            window = visible, slice(None), rows, columns
            new, new_weight = np.mgrid[rows, columns][::-1] - person[visible, :2, None, None], 1 / np.sqrt(area)
            if owner[rows, columns].any():
                writes = _writes(offset[window], owner[rows, columns], area)
                new = np.where(writes[:, None], new, offset[window])
                new_weight = np.where(writes[:, None], new_weight, weight[window])
                owner[rows, columns] = np.where(writes.any(0), area, owner[rows, columns])
            elif len(visible):
                owner[rows, columns] = area
            offset[window], weight[window] = new, new_weight
        return offset.reshape(-1, size, size), weight.reshape(-1, size, size)

    def decode(self, answer: Answer, *, snap: bool = True) -> Poses:
        """The people whom an answer shows, in pixels of the network's input at scale 1.

        With `snap` the regressed joints move to the heatmaps' peaks.
        """
        xy, center = self.find(answer)
        maps = answer.fused[:-1]
        if not len(xy):
            return Poses.empty(len(maps))
        if not snap:
            scores = center[:, None] * heat_at(maps, xy)
            return Poses(xy, scores, scores.mean(1))
        most, least = self.max_num_people, self.keypoint_threshold
        xy, heat = absorb(xy, maps, most=most, threshold=least, farthest=self.max_absorb_distance)
        scores = center[:, None] * heat
        xy, heights = adjust(xy, maps, scores > self.adjust_threshold)
        scores = np.where(np.isnan(heights), scores, heights * center[:, None])
        return Poses(xy, scores, scores.mean(1))

    def find(self, answer: Answer) -> tuple[Floats, NDArray[np.float32]]:
        """Regressed joints (P, K, 2) of the people, in pixels of the input at scale 1, and their centres' heat (P,)."""
        width = answer.fused.shape[-1]
        stride = self.input_size[0] / self.heatmap_size[0]
        strides = [width / heatmap.shape[-1] for heatmap in answer.heatmaps]
        most = answer.heatmaps[strides.index(stride)][-1].max()
        poses, scores = [np.empty((0, len(answer.fused) - 1, 2))], [np.empty(0, np.float32)]
        for heatmap, positions, pixels in zip(answer.heatmaps, answer.positions, strides, strict=True):
            highest = heatmap[-1].max()
            if min(highest, most) <= 0:  # nobody's centre; divided by it, the lowest places would be the highest
                continue
            share = np.float32(1 if pixels == stride else self.scale_decrease)
            center = share * heatmap[-1] / max(highest, np.float32(1e-12)) * most
            rows, columns = local_maxima(center, self._window(center), self.max_num_people)
            heat = center[rows, columns]
            kept = heat > self.keypoint_threshold * share
            scores.append(heat[kept])
            found = positions[:, rows[kept], columns[kept]].T.reshape(-1, len(positions) // 2, 2)
            poses.append(np.float32(pixels) * found)
        return self._without_copies(np.concatenate(poses).astype(np.float64), np.concatenate(scores))

    def _window(self, center: Maps) -> int:
        """Pixels a side in which a centre is the highest."""
        size, (large, middle) = sum(center.shape) / 2, self.pool_thresholds
        return 7 if size > large else 5 if size > middle else 3

    def _without_copies(self, xy: Floats, scores: NDArray[np.float32]) -> tuple[Floats, NDArray[np.float32]]:
        """One pose of each group of like ones, the best."""
        near = ((xy[:, None] - xy) ** 2).sum(-1) < self.dist_threshold**2
        alike = near.sum(-1) > min(self.overlap_threshold, xy.shape[1] - 1)
        done, kept = np.zeros(len(xy), bool), []
        for group, is_done in zip(alike, done, strict=True):  # a view: groups before may have marked this one
            best = np.where(group, scores, -1).argmax()
            if not is_done and not done[best]:
                kept.append(best)
                done |= group
        if len(kept) > self.max_num_people:
            kept = sorted(kept, key=lambda i: -scores[i])[: self.max_num_people]
        return xy[kept], scores[kept]

    def flip(self, maps: Maps, skeleton: Skeleton, *, positions: bool = False) -> Maps:
        """Maps (B, C, h, w) of a mirrored picture as if it had not been mirrored: heatmaps, or positions."""
        order = skeleton.flip_order
        if not positions:
            return maps[:, [*order, *range(len(order), maps.shape[1])], :, ::-1]
        batch, _, height, width = maps.shape
        points = maps.reshape(batch, -1, 2, height, width)[:, order, ..., ::-1].copy()
        points[:, :, 0] = width - 1 - points[:, :, 0]
        return points.reshape(maps.shape)


def _writes(old: Maps, owner: Maps, area: float) -> NDArray[np.bool_]:
    """Where (V, h, w) a person writes over offsets (V, 2, h, w) of joints, given the areas of who wrote last (h, w)."""
    taken = old.any(1)
    keeps = taken & (owner < area)
    # Once this person has written a pixel, its next joints meet their own area there, rounded.
    wrote_before = np.cumsum(~keeps, 0) - ~keeps > 0
    return ~np.where(wrote_before, taken & (np.float32(area) < area), keeps)


def heat_at(maps: Maps, xy: Floats) -> Floats:
    """Heat (P, K) at joints (P, K, 2), bilinear in maps (K, H, W); 0 outside them.

    Left of and above the first pixel it is extrapolated, as in the published code.
    """
    height, width = maps.shape[1:]
    x0, y0 = np.moveaxis(xy.astype(np.int64), -1, 0)
    u, v = xy[..., 0] - x0, xy[..., 1] - y0
    inside = (x0 >= 0) & (x0 + 1 < width) & (y0 >= 0) & (y0 + 1 < height)
    x0, y0, joint = np.where(inside, x0, 0), np.where(inside, y0, 0), np.arange(len(maps))
    above = maps[joint, y0, x0] * (1 - u) + maps[joint, y0, x0 + 1] * u
    below = maps[joint, y0 + 1, x0] * (1 - u) + maps[joint, y0 + 1, x0 + 1] * u
    return (above * (1 - v) + below * v) * inside


def up_interpolate(maps: Maps, size: tuple[int, int]) -> Maps:
    """Maps (..., h, w) enlarged to `size` (height, width), a pixel i of them at f i, f the whole number of times."""
    (top, bottom, down), (left, right, across) = map(_between, maps.shape[-2:], size)
    large = np.empty((*maps.shape[:-2], *size), np.float32)
    # Map by map, which a processor's cache can hold.
    for one, made in zip(maps.reshape(-1, *maps.shape[-2:]), large.reshape(-1, *size), strict=True):
        wide = one[:, left]
        wide += (one[:, right] - wide) * across
        made[:] = wide[top]
        made += (wide[bottom] - made) * down[:, None]
    return large


def _between(length: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each of `target` pixels the two of `length` that it is between, and how far it is from the first."""
    last = target - target // length  # beyond, the last value is repeated
    place = np.minimum(np.arange(target), last) * ((length - 1) / max(last, 1))
    low = np.minimum(place.astype(np.int64), max(length - 2, 0))
    return low, np.minimum(low + 1, length - 1), (place - low).astype(np.float32)
