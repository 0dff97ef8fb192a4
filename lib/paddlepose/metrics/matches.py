"""Poses and how right they are: what a rescoring network learns from.

Each pose of a results file is compared with the people labelled in its picture as COCO's evaluation does it, once for
each range of areas, as in the published code of the bottom-up regression HRNet.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import read_arrays, written_beside
from paddlepose.core.types import Skeleton
from paddlepose.metrics.coco import Kind, Results, measured_area, read_labels, read_rows
from paddlepose.metrics.labels import Annotation, Labels

Floats = NDArray[np.float64]

_RANGES = np.array([[0, 1e10], [32**2, 96**2], [96**2, 1e10]])  # square pixels: of all people, medium and large ones
_MOST = 20  # poses of a picture, the best first: COCO's evaluation reads no more


@dataclass(frozen=True)
class Matches:
    """N poses and their likeness to labelled people."""

    xy: NDArray[np.float32]  # (N, K, 2), pixels of the picture
    scores: NDArray[np.float32]  # (N, K), of each joint
    oks: Floats  # (N,), 0 to 1, with the person most like the pose; 0 where there is none

    def save(self, path: Path, skeleton: Skeleton) -> None:
        """Write them, and the name of their skeleton. Raises OSError: the file cannot be written."""
        with written_beside(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, skeleton=skeleton.name, xy=self.xy, scores=self.scores, oks=self.oks)

    @classmethod
    def load(cls, path: Path, skeleton: Skeleton) -> "Matches":
        """What `save` wrote of poses of this skeleton.

        Raises FileNotFoundError: no such file; ValueError: it is no such file, is of another skeleton, or is empty.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of poses to learn from; paddlepose rescore_data writes it")
        arrays = read_arrays(path, str(path))
        if missing := [name for name in ("skeleton", "xy", "scores", "oks") if name not in arrays]:
            raise ValueError(f"{path}: no poses to learn from: there is no '{missing[0]}'; write it with rescore_data")
        if (found := str(arrays.pop("skeleton"))) != skeleton.name:
            raise ValueError(f"{path}: poses of '{found}', but the data set is '{skeleton.name}'")
        if not len(arrays["oks"]):
            raise ValueError(f"{path}: there is no pose in it to learn from")
        return cls(arrays["xy"], arrays["scores"], arrays["oks"])


def matches(labels: Path | Mapping[str, Any] | Labels, rows: Results, kind: Kind, sigmas: Sequence[float]) -> Matches:
    """Poses of a results file with their OKS: three times, by ranges of areas, then by picture, then best first.

    In a range the OKS is with people whose area is in it, and with others only where there is no such person. Pictures
    without labelled people are left out. Arguments and errors are those of `metrics.coco.evaluate`.
    """
    content = read_labels(labels, kind, joints=len(sigmas))
    people, poses = defaultdict(list), defaultdict(list)
    for annotation in content.annotations:
        people[annotation.image].append(annotation)
    for row in read_rows(rows, content):
        poses[row["image_id"]].append(row)
    found, oks = [np.zeros((0, len(sigmas), 3))], [np.zeros((len(_RANGES), 0))]
    for image in sorted(people.keys() & poses.keys()):
        best = sorted(poses[image], key=lambda row: -row["score"])[:_MOST]
        found.append(np.array([row["keypoints"] for row in best], np.float64).reshape(-1, len(sigmas), 3))
        area = np.array([measured_area(person, kind) for person in people[image]])
        oks.append(_best_oks(found[-1][..., :2], people[image], area, np.array(sigmas)))
    joints = np.tile(np.concatenate(found).astype(np.float32), (len(_RANGES), 1, 1))
    return Matches(joints[..., :2], joints[..., 2], np.concatenate(oks, 1).ravel())


def _best_oks(xy: Floats, people: Sequence[Annotation], area: Floats, sigmas: Floats) -> Floats:
    """For each range of areas, the highest OKS (3, N) of poses (N, K, 2) with those of the people who count in it."""
    oks = _oks(xy, people, area, sigmas)
    ignored = np.array([person.crowd or not person.labelled for person in people])
    counts = ~ignored & (area >= _RANGES[:, :1]) & (area <= _RANGES[:, 1:])
    counts |= ~counts.any(1, keepdims=True)
    return np.where(counts[:, None], oks, 0).max(-1)


def _oks(xy: Floats, people: Sequence[Annotation], area: Floats, sigmas: Floats) -> Floats:
    """OKS (N, G) of poses (N, K, 2) with labelled people of areas (G,), as COCO's evaluation measures it.

    A person without a labelled joint is a box three times as wide and high, outside which a joint is so far off.
    """
    truth, box = np.stack([person.joints for person in people]), np.stack([person.box for person in people])
    low, high = box[:, None, :2] - box[:, None, 2:], box[:, None, :2] + 2 * box[:, None, 2:]
    known = truth[..., 2] > 0
    unknown = ~known.any(1)
    off = (low - xy[:, None]).clip(0) + (xy[:, None] - high).clip(0)
    off = np.where(unknown[:, None, None], off, xy[:, None] - truth[..., :2])
    like = np.exp(-(off**2).sum(-1) / (2 * sigmas) ** 2 / (area[:, None] + np.spacing(1)) / 2)
    share = known | unknown[:, None]
    return (like * share).sum(-1) / share.sum(-1)
