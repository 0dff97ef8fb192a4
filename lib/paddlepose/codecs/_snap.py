"""Regressed joints moved to the heatmap peaks near them, and these placed between the pixels.

Heatmaps are (K, H, W) in pixels of the network's input, joints (P, K, 2: x, y) likewise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
Floats = NDArray[np.float64]

_PEAK_WINDOW = 5  # pixels within which a peak is the highest
_REACH = 6  # pixels from a peak to each side on which a Gaussian is fitted
_FIRST_SIGMA = 2.0  # of the fit, in pixels
_MOST_STEPS = 60  # of the fit; one that has not settled by then counts as failed
_SETTLED = 1e-4  # pixels by which a fit that has settled still moves
_FAR = 1e9  # pixels from any peak; no Gaussian reaches there

# With d and e the distances to a Gaussian's centre, its derivatives to height, row, column and sigma are the Gaussian
# times 1, d, e and d^2 + e^2: which d^i e^j each has, and which d^(i + k) e^(j + l) are in the product of each pair.
_TERMS = np.zeros((4, 3, 3))
_TERMS[[0, 1, 2, 3, 3], [0, 1, 0, 2, 0], [0, 0, 1, 0, 2]] = 1
_PAIRS = np.einsum("pij,qkl->ikjlpq", _TERMS, _TERMS).reshape(81, 16)


def local_maxima(heatmap: Maps, window: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the `most` highest values above 0 that no other within the window exceeds, highest first."""
    peaks = np.flatnonzero(heatmap == cv2.dilate(heatmap, np.ones((window, window), np.uint8)))
    values = heatmap.ravel()[peaks]
    peaks, values = peaks[values > 0], values[values > 0]
    if len(peaks) > most:
        chosen = np.argpartition(values, -most)[-most:]
        peaks, values = peaks[chosen], values[chosen]
    return np.divmod(peaks[np.argsort(-values, kind="stable")], heatmap.shape[1])


def absorb(
    xy: Floats, heatmaps: Maps, *, most: int, threshold: float, farthest: float
) -> tuple[Floats, NDArray[np.float32]]:
    """Joints at the nearest of their map's `most` highest peaks, if within `farthest` pixels, and their heat (P, K).

    A peak of `threshold` or less attracts like any other and has no heat. A joint that stays has the heat at the pixel
    in row x, column y: the published scores were computed so.
    """
    joint, (height, width) = np.arange(len(heatmaps)), heatmaps.shape[1:]
    peaks, values = np.full((len(joint), most, 2), -_FAR), np.zeros((len(joint), most), np.float32)
    for k, heatmap in enumerate(heatmaps):
        rows, columns = local_maxima(heatmap, _PEAK_WINDOW, most)
        peaks[k, : len(rows)] = np.stack([columns, rows], 1)
        values[k, : len(rows)] = heatmap[rows, columns]
    squared = ((xy[:, :, None] - peaks) ** 2).sum(-1)
    nearest, near = squared.argmin(-1), squared.min(-1) < farthest**2
    values = np.where(values > threshold, values, 0)[joint, nearest]
    swapped = xy.astype(np.int64).clip(0, (height - 1, width - 1))
    heat = np.where(near, values, heatmaps[joint, swapped[..., 0], swapped[..., 1]])
    return np.where(near[..., None], peaks[joint, nearest], xy), heat


def adjust(xy: Floats, heatmaps: Maps, which: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The joints that `which` (P, K) marks at the centres of Gaussians fitted around them, and all Gaussians' heights.

    The height is NaN where there is none: the joint is not marked, lies on the border or outside, or the fit fails.
    """
    column, row = np.moveaxis((xy + 0.5).astype(np.int64), -1, 0)
    height, width = heatmaps.shape[1:]
    inside = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
    person, joint = np.nonzero(which & inside)
    places, heights = xy.copy(), np.full(xy.shape[:2], np.nan)
    key = np.stack([joint, row[person, joint], column[person, joint]])
    peaks, same = np.unique(key, axis=1, return_inverse=True)
    if peaks.size:
        fitted = _fit(*_windows(heatmaps, *peaks))[same.ravel()]
        good = np.isfinite(fitted).all(1)
        places[person[good], joint[good]] = fitted[good, 2:0:-1]
        heights[person[good], joint[good]] = fitted[good, 0]
    return places, heights


def _windows(
    heatmaps: Maps, joint: NDArray[np.int64], row: NDArray[np.int64], column: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Heat (N, S, S) around N peaks, rows and columns (N, S), far away where there are none, and the fit's start.

    A window that the border cuts has its values in the wrong places, as many rows as it should have columns: published
    figures were computed so.
    """
    side, (height, width) = 2 * _REACH + 1, heatmaps.shape[1:]
    top, left = (row - _REACH).clip(0), (column - _REACH).clip(0)
    rows, columns = (row + _REACH + 1).clip(max=height) - top, (column + _REACH + 1).clip(max=width) - left
    step = np.arange(side)
    heat = heatmaps[
        joint[:, None, None],
        (top[:, None] + step).clip(max=height - 1)[:, :, None],
        (left[:, None] + step).clip(max=width - 1)[:, None],
    ].astype(np.float64)
    for i in np.flatnonzero((rows < side) | (columns < side)):
        values = heat[i, : rows[i], : columns[i]].reshape(columns[i], rows[i]).copy()
        heat[i] = 0
        heat[i, : columns[i], : rows[i]] = values
    y = np.where(step < columns[:, None], top[:, None] + step, _FAR)
    x = np.where(step < rows[:, None], left[:, None] + step, _FAR)
    start = np.stack([heatmaps[joint, row, column], row, column, np.full(len(row), _FIRST_SIGMA)], 1)
    return heat, y, x, start.astype(np.float64)


def _fit(heat: Floats, y: Floats, x: Floats, start: Floats) -> Floats:
    """Height, row, column and sigma (N, 4) of the Gaussians nearest to N windows; NaN where the fit does not settle.

    Levenberg and Marquardt's method, for all windows at once; sigma changes by its own size at most in a step.
    """
    found, damping, active = start.copy(), np.full(len(start), 1e-3), np.arange(len(start))
    normal, slope, cost = _equations(heat, y, x, found)
    for _ in range(_MOST_STEPS):
        damped = normal * (1 + np.eye(4) * damping[active, None, None]) + 1e-12 * np.eye(4)
        step = np.linalg.solve(damped, slope[..., None])[..., 0]
        step *= np.minimum(1, np.abs(found[active, 3]) / np.abs(step[:, 3]).clip(1e-9))[:, None]
        with np.errstate(all="ignore"):  # a step may lead to where nothing is finite; it is not taken
            trial = _equations(heat, y, x, found[active] + step)
        better = trial[2] <= cost
        found[active[better]] += step[better]
        damping[active] *= np.where(better, 0.1, 10)
        going = np.abs(step[:, 1:3]).max(1) >= _SETTLED
        for new, old in zip(trial, (normal, slope, cost), strict=True):
            old[better] = new[better]
        if not going.all():
            active, heat, y, x, normal, slope, cost = (
                values[going] for values in (active, heat, y, x, normal, slope, cost)
            )
        if not len(active):
            break
    found[active] = np.nan
    return found


def _equations(heat: Floats, y: Floats, x: Floats, gaussian: Floats) -> tuple[Floats, Floats, Floats]:
    """Normal matrix (N, 4, 4), its right side (N, 4) and the squared difference (N,) at given Gaussians (N, 4).

    A Gaussian is a product of one in y and one in x, so that all sums over a window are products of sums over its rows
    and columns.
    """
    height, row, column, sigma = gaussian.T
    down, right = _weighted(y - row[:, None], sigma), _weighted(x - column[:, None], sigma)
    given = (down.swapaxes(1, 2) @ (heat @ right)).reshape(-1, 9) @ _TERMS.reshape(4, 9).T
    rows, columns = ((axis.swapaxes(1, 2) @ axis).reshape(-1, 9) for axis in (down, right))
    inner = ((rows[:, :, None] * columns[:, None]).reshape(-1, 81) @ _PAIRS).reshape(-1, 4, 4)
    # Derivatives are the Gaussian of height 1 times a polynomial and these factors.
    factors = np.stack([np.ones_like(height), height / sigma**2, height / sigma**2, height / sigma**3], 1)
    slope = (given - height[:, None] * inner[:, 0]) * factors
    cost = -2 * height * given[:, 0] + height**2 * inner[:, 0, 0]
    return inner * factors[:, :, None] * factors[:, None], slope, cost


def _weighted(distance: Floats, sigma: Floats) -> Floats:
    """One-dimensional Gaussians at distances d (N, S), times 1, d and d^2 (N, S, 3)."""
    g = np.exp(distance**2 / (-2 * sigma**2)[:, None])
    gd = g * distance
    return np.stack([g, gd, gd * distance], -1)
