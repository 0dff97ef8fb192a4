"""How alike two poses are, and which of several alike ones stay."""

import numpy as np
from numpy.typing import NDArray

MOST_SOFT = 20  # poses that the soft suppression keeps: COCO's evaluation reads no more from an image
# Fall-off of the joints of COCO (cocoapi's cocoeval.py) and of CrowdPose (its own evaluation), in their order.
SIGMAS = {
    "coco": (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062)
    + (0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    "crowdpose": (0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079),
}
DEFAULT_SIGMA = 0.05  # of joints that no evaluator has measured: between COCO's eyes (0.025) and hips (0.107)

Floats = NDArray[np.floating]
Indices = NDArray[np.int64]


def oks(
    joints: Floats, area: float, others: Floats, *, other_areas: Floats, sigmas: Floats, weights: Floats | None = None
) -> NDArray[np.float64]:
    """Object keypoint similarity (N,), 0 to 1, of a pose (K, 2: x, y in pixels) with N others (N, K, 2).

    A pair is measured by the mean of its two areas, in square pixels: `area` and one of `other_areas` (N,). `sigmas`
    (K,) are the joints' fall-off as shares of the person's scale. All joints count alike without `weights` (N, K),
    which are above 0 somewhere in each row.
    """
    squared = ((others - joints) ** 2).sum(-1)
    mean_areas = (area + other_areas) / 2 + np.spacing(1)
    alike = np.exp(-squared / (2 * sigmas) ** 2 / mean_areas[:, None] / 2)
    return alike.mean(-1) if weights is None else (alike * weights).sum(-1) / weights.sum(-1)


def oks_nms(
    joints: Floats, scores: Floats, areas: Floats, *, sigmas: Floats, threshold: float, soft: bool = False
) -> Indices:
    """Indices of the poses that stay, best score first: none of them is more alike a better one than `threshold`.

    If `soft`, those of the 20 best, in an order in which each taken one lowers the scores of those alike to it by
    exp(-OKS^2 / threshold).

    Poses are (N, K, 2: x, y in pixels), with `scores` (N,) and `areas` (N,) of the people in square pixels; `sigmas`
    are as for `oks`.
    """
    scores = scores.astype(np.float64)
    order, kept = _by_score(scores), []
    while order.size and not (soft and len(kept) == MOST_SOFT):
        best, order = order[0], order[1:]
        kept.append(best)
        alike = oks(joints[best], areas[best], joints[order], other_areas=areas[order], sigmas=sigmas)
        if soft:
            scores[order] *= np.exp(-(alike**2) / threshold)
            order = order[_by_score(scores[order])]
        else:
            order = order[alike <= threshold]
    return np.array(kept, np.int64)


def box_nms(boxes: Floats, scores: Floats, threshold: float) -> Indices:
    """Indices of the boxes (N, 4: left, top, right, bottom; whole pixels, both ends inside) that stay, best first."""
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    order, kept = _by_score(scores), []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[order, :2])
        shared = (np.minimum(boxes[best, 2:], boxes[order, 2:]) - corner + 1).clip(0).prod(1)
        order = order[shared / (areas[best] + areas[order] - shared) <= threshold]
    return np.array(kept, np.int64)


def _by_score(scores: Floats) -> Indices:
    """Indices, best score first; of equal ones the later first, as in the published implementations."""
    return np.argsort(scores, kind="stable")[::-1]
