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
_SETTLED = 1e-5  # pixels by which a fit that has settled still moves


def local_maxima(heatmap: Maps, window: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the `most` highest values above 0 that no other within the window exceeds, highest first."""
    peaks = np.flatnonzero((heatmap == cv2.dilate(heatmap, np.ones((window, window), np.uint8))) & (heatmap > 0))
    values = heatmap.ravel()[peaks]
    if len(peaks) > most:
        chosen = np.argpartition(values, -most)[-most:]
        peaks, values = peaks[chosen], values[chosen]
    return np.divmod(peaks[np.argsort(-values, kind="stable")], heatmap.shape[1])


def absorb(
    xy: Floats, heatmaps: Maps, *, most: int, threshold: float, farthest: float
) -> tuple[Floats, NDArray[np.float32]]:
    """Each joint at the nearest of its heatmap's `most` highest peaks, if within `farthest` pixels, and its heat (P, K).

    A peak of `threshold` or less attracts like any other and has no heat. A joint that stays has the heat at the pixel
    in row x, column y: the published scores were computed so.
    """
    height, width = heatmaps.shape[1:]
    places, heat = xy.copy(), np.zeros(xy.shape[:2], np.float32)
    for k, heatmap in enumerate(heatmaps):
        swapped = xy[:, k].astype(np.int64).clip(0, (height - 1, width - 1))
        heat[:, k] = heatmap[swapped[:, 0], swapped[:, 1]]
        rows, columns = local_maxima(heatmap, _PEAK_WINDOW, most)
        if len(rows):
            distance = np.hypot(xy[:, k, :1] - columns, xy[:, k, 1:] - rows)
            nearest, near = distance.argmin(1), distance.min(1) < farthest
            values = heatmap[rows, columns]
            values = np.where(values > threshold, values, 0)[nearest]
            places[near, k] = np.stack([columns, rows], 1)[nearest[near]]
            heat[near, k] = values[near]
    return places, heat


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
    """Heat (N, S, S) around N peaks, its rows and columns (N, S), NaN where there is none, and the fit's start (N, 4).

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
    y = np.where(step < columns[:, None], top[:, None] + step, np.nan)
    x = np.where(step < rows[:, None], left[:, None] + step, np.nan)
    start = np.stack([heatmaps[joint, row, column], row, column, np.full(len(row), _FIRST_SIGMA)], 1)
    return heat, y, x, start.astype(np.float64)


def _fit(heat: Floats, y: Floats, x: Floats, start: Floats) -> Floats:
    """Height, row, column and sigma (N, 4) of the Gaussians nearest to N windows; NaN where the fit does not settle.

    Levenberg and Marquardt's method, for all windows at once. A Gaussian is a product of one in y and one in x, so that
    all sums over a window are products of sums over its rows and columns.
    """
    found, damping, active = start.copy(), np.full(len(start), 1e-3), np.arange(len(start))
    normal, slope, cost = _equations(heat, y, x, found)
    for _ in range(_MOST_STEPS):
        diagonal = np.einsum("nii->ni", normal)
        damped = normal + np.eye(4) * (damping[active, None] * diagonal + 1e-12)[:, None]
        step = np.linalg.solve(damped, slope[..., None])[..., 0]
        with np.errstate(all="ignore"):  # a step may lead to where nothing is finite; it is not taken
            trial = _equations(heat[active], y[active], x[active], found[active] + step)
        better = trial[2] <= cost
        found[active] += np.where(better[:, None], step, 0)
        damping[active] *= np.where(better, 0.1, 10)
        settled = np.abs(step[:, 1:3]).max(1) < _SETTLED
        normal, slope, cost = (
            np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)[~settled]
            for new, old in zip(trial, (normal, slope, cost), strict=True)
        )
        active = active[~settled]
        if not len(active):
            break
    found[active] = np.nan
    return found


def _equations(heat: Floats, y: Floats, x: Floats, gaussian: Floats) -> tuple[Floats, Floats, Floats]:
    """Normal matrix (N, 4, 4), its right side (N, 4) and the squared difference (N,) at given Gaussians (N, 4)."""
    height, row, column, sigma = gaussian.T
    down, right = _moments(y - row[:, None], sigma), _moments(x - column[:, None], sigma)
    data = np.swapaxes(down[1], 1, 2) @ heat @ right[1]  # (N, 3, 3)
    r, c = down[0].T, right[0].T  # (5, N) each
    # Derivatives to row, column and sigma are the Gaussian's times a polynomial and these factors.
    factors = np.stack([np.ones_like(height), height / sigma**2, height / sigma**2, height / sigma**3], 1)
    both = r[2] * c[0] + r[0] * c[2]
    entries = [
        [r[0] * c[0], r[1] * c[0], r[0] * c[1], both],
        [r[1] * c[0], r[2] * c[0], r[1] * c[1], r[3] * c[0] + r[1] * c[2]],
        [r[0] * c[1], r[1] * c[1], r[0] * c[2], r[2] * c[1] + r[0] * c[3]],
        [both, r[3] * c[0] + r[1] * c[2], r[2] * c[1] + r[0] * c[3], r[4] * c[0] + 2 * r[2] * c[2] + r[0] * c[4]],
    ]
    inner = np.moveaxis(np.array(entries), -1, 0)
    given = np.stack([data[:, 0, 0], data[:, 1, 0], data[:, 0, 1], data[:, 2, 0] + data[:, 0, 2]], 1)
    slope = (given - height[:, None] * inner[:, 0]) * factors
    cost = -2 * height * given[:, 0] + height**2 * inner[:, 0, 0]
    return inner * factors[:, :, None] * factors[:, None], slope, cost


def _moments(distance: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Of one-dimensional Gaussians g at distances d (N, S): the sums of g^2 d^k (N, 5), and g d^k (N, S, 3)."""
    outside = np.isnan(distance)
    d = np.where(outside, 0, distance)
    g = np.where(outside, 0, np.exp(-(d**2) / (2 * sigma[:, None] ** 2)))
    powers = d[..., None] ** np.arange(5)
    return (g[:, None] ** 2 @ powers)[:, 0], g[..., None] * powers[..., :3]
