"""Average precision over object keypoint similarity: COCO's ten figures, and CrowdPose's nine."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from paddlepose.core.fields import key, numbers, short
from paddlepose.core.files import entry, read_json, written_beside
from paddlepose.core.geometry import SCALE_UNIT
from paddlepose.core.nms import DEFAULT_SIGMA, SIGMAS, oks_nms
from paddlepose.core.result import pose_rows
from paddlepose.core.types import ImageRecord, Poses, Skeleton
from paddlepose.metrics.labels import OUTLINE_SHARE, Annotation, Labels, read

Kind = Literal["coco", "crowdpose"]
Row = dict[str, Any]
Results = Path | Sequence[Mapping[str, Any]]

# By name, the place in the evaluator's list of figures.
FIGURES = {
    "coco": {"AP": 0, "Ap .5": 1, "AP .75": 2, "AP (M)": 3, "AP (L)": 4}
    | {"AR": 5, "AR .5": 6, "AR .75": 7, "AR (M)": 8, "AR (L)": 9},
    "crowdpose": {"AP": 0, "Ap .5": 1, "AP .75": 2, "AR": 3, "AR .5": 4, "AR .75": 5}
    | {"AP (E)": 6, "AP (M)": 7, "AP (H)": 8},
}

_CATEGORY = 1  # the evaluator sees only one
_LOG = logging.getLogger(__name__)


def evaluate(
    gt: Path | Mapping[str, Any] | Labels, results: Results, kind: Kind = "coco", sigmas: Sequence[float] | None = None
) -> dict[str, float]:
    """Figures by name of a results list against labels; -1 where the labels hold nobody whom a figure speaks of.

    Args:
        gt: an annotation file in COCO's format, or its content. CrowdPose's figures need each image's `crowdIndex`.
        results: a results file, or its content: image_id, category_id, keypoints, score.
        kind: COCO's ten figures, or CrowdPose's nine.
        sigmas: the joints' fall-off; by default those of `kind`, or 0.05 for each joint of a set with another number.

    Raises OSError: a file cannot be read; ValueError: one is not what it should be, or the two do not fit each other.
    """
    if sigmas is None:
        gt = gt if isinstance(gt, Labels) else read(gt)
        sigmas = SIGMAS[kind] if gt.count in (0, len(SIGMAS[kind])) else [DEFAULT_SIGMA] * gt.count
    fall_off = list(sigmas)
    if not all(sigma > 0 for sigma in fall_off):
        raise ValueError(f"sigmas are shares of a person's scale, above 0; got {', '.join(map(str, fall_off))}")
    labels = read_labels(gt, kind, joints=len(fall_off))
    silent = {"print_function": lambda *_: None}
    reference = COCO(_reference(labels, kind), **silent)
    found = reference.loadRes(read_rows(results, labels))
    task = "keypoints" if kind == "coco" else "keypoints_crowd"
    evaluator = COCOeval_faster(reference, found, task, kpt_oks_sigmas=fall_off, **silent)
    evaluator.run()
    return {name: float(evaluator.stats[place]) for name, place in FIGURES[kind].items()}


def read_labels(gt: Path | Mapping[str, Any] | Labels, kind: Kind, *, joints: int) -> Labels:
    """Labels that the figures of `kind` can be had of. Raises OSError, ValueError: as `evaluate`."""
    labels = gt if isinstance(gt, Labels) else read(gt, joints=joints)
    if kind == "crowdpose" and not all(image.crowd_index is not None for image in labels.images.values()):
        raise ValueError(
            f"{labels.name}: its images have no 'crowdIndex', which CrowdPose's figures need; try kind coco"
        )
    if labels.count not in (0, joints):
        counts = f"the labels have {labels.count} joints, but there are {joints} sigmas"
        raise ValueError(f"{labels.name}: {counts}: give one for each joint")
    return labels


def _reference(labels: Labels, kind: Kind) -> dict[str, Any]:
    """The labels as the evaluator takes them; annotations are numbered from 1, as it takes 0 for "no match"."""
    images = [{"id": number, "crowdIndex": image.crowd_index} for number, image in labels.images.items()]
    annotations = [
        {"id": i, "image_id": one.image, "category_id": _CATEGORY, "iscrowd": int(one.crowd), "bbox": one.box.tolist()}
        | {"keypoints": one.joints.ravel().tolist(), "num_keypoints": int((one.joints[:, 2] > 0).sum())}
        | {"area": measured_area(one, kind)}
        for i, one in enumerate(labels.annotations, 1)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": _CATEGORY, "name": "person"}]}


def measured_area(annotation: Annotation, kind: Kind) -> float:
    """Square pixels by which distances are scaled; CrowdPose takes a share of the box, whatever the outline."""
    return OUTLINE_SHARE * float(annotation.box[2:].prod()) if kind == "crowdpose" else annotation.area


def read_rows(results: Results, labels: Labels) -> list[Row]:
    """The results' rows of the labels' category, with images by number. Raises OSError, ValueError: as `evaluate`."""
    content, name = (read_json(results), str(results)) if isinstance(results, Path) else (results, "results")
    if not isinstance(content, Sequence) or not all(isinstance(row, Mapping) for row in content):
        raise ValueError(f"{name}: a list of poses was expected, each with image_id, category_id, keypoints and score")
    rows = []
    for i, row in enumerate(content):
        with entry(f"{name}: pose {i}"):
            if key(row["category_id"], "category_id") in labels.category.keys:
                rows.append(_row(row, labels))
    if content and not rows:
        raise ValueError(
            f"{name}: none of its poses is of category {short(labels.category.id)}, '{labels.category.name}'"
        )
    if others := len(content) - len(rows):
        _LOG.warning("%s: %d of %d poses are of other categories and are left out", name, others, len(content))
    return rows


def _row(row: Mapping[str, Any], labels: Labels) -> Row:
    """One pose of a results file, if it fits the labels."""
    size = 3 * labels.count or len(row["keypoints"])
    joints = numbers(row["keypoints"], size, f"keypoints, x, y and score of each of {size // 3} joints")
    score = numbers(row["score"], 1, "score")
    number = labels.number(row["image_id"])
    return {"image_id": number, "category_id": _CATEGORY, "keypoints": joints.tolist(), "score": float(score[0])}


@dataclass
class Everybody:
    """COCO's or CrowdPose's figures of poses found in whole pictures: written to a results file, evaluated."""

    results: Path  # the file to write
    skeleton: Skeleton  # with sigmas
    labels: Labels  # without an annotation nothing is measured
    kind: Kind = "coco"
    rows: list[Row] = field(default_factory=list)  # of the results file

    @property
    def headline(self) -> str:
        """`AP`, or `Null` for a split without labels."""
        return "AP" if self.labels.annotations else "Null"

    def add(self, record: ImageRecord, poses: Poses) -> None:
        """Take the poses of an image."""
        self.rows += self._rows(record, poses)

    def compute(self) -> dict[str, float]:
        """The figures by name, after the results file was written.

        Raises OSError: the results cannot be written, or the labels not be read; ValueError: these are of other poses.
        """
        with written_beside(self.results) as path:
            path.write_text(json.dumps(self.rows))
        if not self.labels.annotations:
            return {"Null": 0.0}
        return evaluate(self.labels, self.rows, self.kind, self.skeleton.sigmas)

    def _rows(self, record: ImageRecord, poses: Poses) -> list[Row]:
        """Rows of the results file, with the ids that the annotation file has."""
        return pose_rows(self.labels.images[record.id].id, poses, self.labels.category.id)


@dataclass
class Keypoints(Everybody):
    """COCO's or CrowdPose's figures of poses found in people's boxes: rescored and thinned out first."""

    oks_threshold: float = 0.9  # two poses more alike than this do not both stay
    least_confidence: float = 0.2  # of joints that count in a pose's score
    soft: bool = False  # lower the rank of alike poses and keep the best 20, instead of dropping them

    def add(self, record: ImageRecord, poses: Poses) -> None:
        """Take the poses of an image's people, in their order; the score of a pose is made anew from its joints'."""
        people = record.people
        scores = rescored(poses.scores, np.array([person.score for person in people]), self.least_confidence)
        areas = np.array([person.region.area for person in people])
        how = {"sigmas": np.array(self.skeleton.sigmas), "threshold": self.oks_threshold, "soft": self.soft}
        rows = self._rows(record, Poses(poses.xy, poses.scores, scores))
        for i in oks_nms(poses.xy, scores, areas, **how):
            region = people[i].region
            del rows[i]["bbox"]
            self.rows.append(
                {**rows[i], "center": region.center.tolist(), "scale": (region.size / SCALE_UNIT).tolist()}
            )


def rescored(joint_scores: NDArray[np.floating], box_scores: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    """Scores (N,) of poses: the mean of their joints' (N, K) above `least`, 0 if none is, times the boxes' (N,)."""
    counts = joint_scores > least
    return (joint_scores * counts).sum(1) / counts.sum(1).clip(1) * box_scores
