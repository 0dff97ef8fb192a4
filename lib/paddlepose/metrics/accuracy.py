"""The share of joints that a batch of heatmaps puts near enough: what training logs beside the loss."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from paddlepose.codecs.heatmap import Maps, Points, Scores, peaks

_NEAR = 0.5  # of a tenth of the map

Locate = Callable[[Maps], tuple[Points, Scores]]


def accuracy(output: Maps, target: Maps, locate: Locate = peaks) -> tuple[float, int]:
    """Mean over joints of the share of samples whose maximum is near the target's; and the number of joints counted.

    Both are (B, K, h, w); `locate` says where the maximum is. A joint of a sample counts where the target's maximum
    lies beyond the first two rows and columns; a joint that counts nowhere is left out. As in the published code, a
    distance in x is measured in tenths of the map's height and one in y in tenths of its width.
    """
    by_joint = joint_accuracy(output, target, locate)
    counted = by_joint[by_joint >= 0]
    return (float(counted.mean()), len(counted)) if len(counted) else (0.0, 0)


def joint_accuracy(output: Maps, target: Maps, locate: Locate = peaks) -> NDArray[np.float64]:
    """Share (K,) of near maxima of each joint; -1 for a joint that counts in no sample."""
    height, width = output.shape[2:]
    found, wanted = locate(output)[0], locate(target)[0]
    distance = np.linalg.norm((found - wanted) / (np.array([height, width]) / 10), axis=-1)
    counts = (wanted > 1).all(-1)
    total = counts.sum(0)
    hits = ((distance < _NEAR) & counts).sum(0)
    return np.where(total > 0, hits / np.maximum(total, 1), -1.0)
