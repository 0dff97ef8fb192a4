"""The bottom-up parser and targets in plain loops, as published code writes them: what `parser.py` measures against.

Maxima are found by PyTorch's pooling and top-k, Gaussians fitted one by one by SciPy. Maps are tensors (K, H, W),
joints arrays (P, K, 3: x, y, score or visibility); settings are those of the published experiments on COCO.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from torch import Tensor
from torch.nn import functional as F

Floats = NDArray[np.floating]

MOST, LEAST_HEAT, LEAST_SCORE = 30, 0.01, 0.05
NEAR, NEAR_JOINTS, FARTHEST = 10.0, 10, 75.0
RADIUS, REACH = 4, 6


def heatmaps(joints: Floats, size: int, background: float = 0.1) -> tuple[Floats, Floats]:
    """Gaussians (K, size, size) of joints, of which the last is the centre, and 1 near any of them (1, size, size)."""
    maps = np.zeros((joints.shape[1], size, size), np.float32)
    near = np.full((1, size, size), background, np.float32)
    for person in joints:
        for k, (x, y, visible) in enumerate(person):
            if visible <= 0 or not (0 <= x < size and 0 <= y < size):
                continue
            sigma = 4.0 if k == len(person) - 1 else 2.0
            left, right = max(0, int(np.floor(x - 3 * sigma - 1))), min(size, int(np.ceil(x + 3 * sigma + 2)))
            top, bottom = max(0, int(np.floor(y - 3 * sigma - 1))), min(size, int(np.ceil(y + 3 * sigma + 2)))
            window = np.zeros((bottom - top, right - left))
            for row in range(top, bottom):
                for column in range(left, right):
                    squared = (column - x) ** 2 + (row - y) ** 2
                    window[row - top, column - left] = np.exp(-squared / (2 * sigma**2))
            maps[k, top:bottom, left:right] = np.maximum(maps[k, top:bottom, left:right], window)
            near[0, top:bottom, left:right] = 1
    return maps, near


def offsets(joints: Floats, areas: Floats, size: int) -> tuple[Floats, Floats]:
    """Offsets and their weights (2 K, size, size) around the centres of people of areas (P,)."""
    count = joints.shape[1] - 1
    offset, weight = np.zeros((2, 2 * count, size, size), np.float32)
    owner = np.zeros((size, size), np.float32)
    for person, area in zip(joints, areas, strict=True):
        x, y, visible = int(person[-1, 0]), int(person[-1, 1]), person[-1, 2]
        if visible < 1 or not (0 <= x < size and 0 <= y < size):
            continue
        for k, (joint_x, joint_y, seen) in enumerate(person[:-1]):
            if seen <= 0 or not (0 <= joint_x < size and 0 <= joint_y < size):
                continue
            for row in range(max(0, y - RADIUS), min(size, y + RADIUS)):
                for column in range(max(0, x - RADIUS), min(size, x + RADIUS)):
                    old = offset[2 * k, row, column], offset[2 * k + 1, row, column]
                    if old != (0, 0) and owner[row, column] < area:
                        continue
                    offset[2 * k, row, column] = column - joint_x
                    offset[2 * k + 1, row, column] = row - joint_y
                    weight[2 * k : 2 * k + 2, row, column] = 1 / np.sqrt(area)
                    owner[row, column] = area
    return offset, weight


def parse(heatmap: Tensor, positions: Tensor, fused: Tensor, *, snap: bool) -> tuple[Floats, Floats]:
    """Poses (P, K, 3) and their scores (P,), at one scale; with `snap` the joints move to the heatmaps' peaks."""
    poses, center = find(heatmap, positions, fused.shape[-1] / heatmap.shape[-1])
    maps = fused[:-1].numpy()
    if snap:
        poses = adjust(absorb(poses, center, fused[:-1]), center, maps)
    else:
        for pose, score in zip(poses, center, strict=True):
            for k, (x, y, _) in enumerate(pose):
                pose[k, 2] = score * heat_at(maps[k], x, y)
    return poses, poses[..., 2].mean(1)


def find(heatmap: Tensor, positions: Tensor, stride: float) -> tuple[Floats, Floats]:
    """Poses (P, K, 3) at the highest centres, one of several alike, and the centres' heat (P,)."""
    center = heatmap[-1]
    size = sum(center.shape) / 2
    values, places = peaks(center[None], 7 if size > 300 else 5 if size > 200 else 3)
    values, places = values[0], places[0]
    places, values = places[values > LEAST_HEAT], values[values > LEAST_HEAT].numpy()
    xy = positions.flatten(1)[:, places].T.reshape(len(places), -1, 2).numpy() * stride
    kept, done = [], set()
    distance = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(-1))
    alike = (distance < NEAR).sum(-1) > NEAR_JOINTS
    for i in range(len(xy)):
        if i in done:
            continue
        group = np.flatnonzero(alike[i])
        best = group[values[group].argmax()]
        if best not in done:
            kept.append(best)
            done.update(group.tolist())
    return np.concatenate([xy[kept], np.zeros((*xy[kept].shape[:2], 1))], -1), values[kept]


def peaks(maps: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Values and places (K, 30) of the highest local maxima of maps (K, H, W)."""
    pooled = F.max_pool2d(maps[None], window, 1, window // 2)[0]
    values, places = (maps * (maps == pooled)).flatten(1).topk(MOST)
    return values, places


def heat_at(heatmap: Floats, x: float, y: float) -> float:
    """Bilinear heat at a place, 0 outside."""
    left, top = int(x), int(y)
    if left < 0 or top < 0 or left + 1 >= heatmap.shape[1] or top + 1 >= heatmap.shape[0]:
        return 0.0
    u, v = x - left, y - top
    above = heatmap[top, left] * (1 - u) + heatmap[top, left + 1] * u
    below = heatmap[top + 1, left] * (1 - u) + heatmap[top + 1, left + 1] * u
    return above * (1 - v) + below * v


def absorb(poses: Floats, center: Floats, maps: Tensor) -> Floats:
    """Poses whose joints have moved to the nearest peaks."""
    values, places = (found.numpy() for found in peaks(maps, 5))
    height, width = maps.shape[1:]
    heat = maps.numpy()
    moved = poses.copy()
    for pose, score in zip(moved, center, strict=True):
        for k, (x, y, _) in enumerate(pose):
            rows, columns = np.divmod(places[k], width)
            distance = np.sqrt((columns - x) ** 2 + (rows - y) ** 2)
            nearest = distance.argmin()
            if distance[nearest] < FARTHEST:
                value = values[k, nearest] if values[k, nearest] > LEAST_HEAT else 0
                pose[k] = columns[nearest], rows[nearest], score * value
            else:
                row, column = min(max(int(x), 0), height - 1), min(max(int(y), 0), width - 1)
                pose[k, 2] = score * heat[k, row, column]
    return moved


def adjust(poses: Floats, center: Floats, maps: Floats) -> Floats:
    """Poses whose joints lie at the centres of Gaussians fitted around them."""
    height, width = maps.shape[1:]
    moved = poses.copy()
    for k in range(poses.shape[1]):
        known: dict[tuple[int, int], Floats] = {}
        for pose, score in zip(moved, center, strict=True):
            x, y, confidence = pose[k]
            row, column = int(y + 0.5), int(x + 0.5)
            if confidence <= LEAST_SCORE or not (0 < row < height - 1 and 0 < column < width - 1):
                continue
            if (row, column) not in known:
                try:
                    known[row, column] = fitted(maps[k], row, column)
                except RuntimeError:  # it does not settle
                    continue
            peak, own_row, own_column, _ = known[row, column]
            pose[k] = own_column, own_row, peak * score
    return moved


def fitted(heatmap: Floats, row: int, column: int) -> Floats:
    """Height, row, column and sigma of the Gaussian around a pixel; at a border of scrambled values, as published."""
    top, left = max(0, row - REACH), max(0, column - REACH)
    window = heatmap[top : row + REACH + 1, left : column + REACH + 1]
    n = np.arange(window.size)
    places = np.stack([top + n // window.shape[0], left + n % window.shape[0]])
    start = heatmap[row, column], row, column, 2.0
    return curve_fit(_gaussian, places, window.ravel(), p0=start, maxfev=300)[0]


def _gaussian(places: Floats, height: float, row: float, column: float, sigma: float) -> Floats:
    return height * np.exp(-((places[0] - row) ** 2 + (places[1] - column) ** 2) / (2 * sigma**2))
