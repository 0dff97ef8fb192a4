"""PCKh, MPII's measure: the share of joints that lie within half a head of where they are."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

from paddlepose.core.files import entry, written_beside
from paddlepose.core.types import ImageRecord, Poses
from paddlepose.metrics._matlab import variables

HEAD_SHARE = 0.6  # MPII's head size is this share of the head box's diagonal
THRESHOLD = 0.5
STRICT_THRESHOLD = 0.11  # published figures named "Mean@0.1" are taken at 0.11

COLUMNS = {"Head": ("head",)} | {
    part: (f"l{part[:3].lower()}", f"r{part[:3].lower()}")
    for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
}
NOT_IN_MEAN = ("pelv", "thor")


@dataclass(frozen=True)
class Truth:
    """MPII's labels of N people with K joints, in pixels of the images that count from 1."""

    names: tuple[str, ...]  # (K,) of the joints, MPII's short ones
    labelled: NDArray[np.bool_]  # (K, N), false where the joint has no label
    xy: NDArray[np.float64]  # (K, 2, N)
    head_boxes: NDArray[np.float64]  # (2, 2, N) corner, x or y, person

    @classmethod
    def read(cls, path: Path) -> "Truth":
        """The labels in a `gt_<split>.mat`. Raises ValueError: it is no MATLAB file, or lacks a variable or a joint."""
        with entry(str(path)):
            content = variables(path)
            names = tuple(str(name[0]) for name in content["dataset_joints"][0])
            if lacking := {joint for joints in COLUMNS.values() for joint in joints} - set(names):
                raise ValueError(f"'dataset_joints' lacks {', '.join(sorted(lacking))}")
            labelled, xy, heads = (content[key] for key in ("jnt_missing", "pos_gt_src", "headboxes_src"))
            return cls(names, labelled == 0, xy.astype(np.float64), heads.astype(np.float64))


def pckh(xy: NDArray[np.floating], truth: Truth) -> dict[str, float]:
    """Percentages by group of joints, then pooled over all joints at the usual and at the strict threshold.

    The joints predicted are (N, K, 2), in pixels of the images that count from 1. A joint that nobody has counts 0;
    where there are no others, what is pooled over them is -1.

    Raises ValueError: the numbers of people or joints differ.
    """
    predicted = xy.transpose(1, 2, 0)
    if predicted.shape != truth.xy.shape:
        (joints, _, people), (true_joints, _, true_people) = predicted.shape, truth.xy.shape
        raise ValueError(
            f"{people} people with {joints} joints were predicted, the ground truth has {true_people} with "
            f"{true_joints}: the annotation file and the .mat file are not of one set"
        )
    counts = truth.labelled.sum(1)
    errors = np.linalg.norm(predicted - truth.xy, axis=1)
    heads = HEAD_SHARE * np.linalg.norm(truth.head_boxes[1] - truth.head_boxes[0], axis=0)
    hits, strict_hits = ((truth.labelled & (errors <= t * heads)).sum(1) for t in (THRESHOLD, STRICT_THRESHOLD))
    shares = dict(zip(truth.names, 100.0 * hits / counts.clip(1), strict=True))
    columns = {name: float(np.mean([shares[joint] for joint in joints])) for name, joints in COLUMNS.items()}
    pooled = ~np.isin(truth.names, NOT_IN_MEAN)
    if not counts[pooled].any():
        return {**columns, "Mean": -1.0, "Mean@0.1": -1.0}
    share = 100.0 / counts[pooled].sum()
    return {**columns, "Mean": float(hits[pooled].sum() * share), "Mean@0.1": float(strict_hits[pooled].sum() * share)}


@dataclass
class Pckh:
    """PCKh of one pose for each record; also leaves the poses in a MATLAB file, as MPII's own evaluation takes them."""

    results: Path  # the MATLAB file
    truth: Truth | None  # without it, of a test split, nothing is measured
    xy: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # poses (K, 2) by their record

    @property
    def headline(self) -> str:
        """`Mean`, or `Null` for a split without labels."""
        return "Mean" if self.truth else "Null"

    def add(self, record: ImageRecord, poses: Poses) -> None:
        """Take the pose of a record's one person."""
        self.xy[record.id] = poses.xy[0]

    def compute(self) -> dict[str, float]:
        """The percentages by name, after the poses (N, K, 2), counted from 1, were written.

        Raises ValueError: no pose was added, or not as many as there are labels; OSError: the file cannot be written.
        """
        if not self.xy:
            raise ValueError("there is no pose to measure")
        xy = np.full((1 + max(self.xy), *next(iter(self.xy.values())).shape), np.nan)  # of people left out
        for index, pose in self.xy.items():
            xy[index] = pose + 1.0
        with written_beside(self.results) as path:
            scipy.io.savemat(path, {"preds": xy})
        return pckh(xy, self.truth) if self.truth else {"Null": 0.0}
