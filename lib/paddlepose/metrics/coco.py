"""Average precision over object keypoint similarity: COCO's ten figures, and CrowdPose's nine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from paddlepose.core.files import entry, read_json, written_beside
from paddlepose.core.geometry import SCALE_UNIT
from paddlepose.core.nms import SIGMAS, oks_nms
from paddlepose.core.types import ImageRecord, Poses, Skeleton

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
OUTLINE_SHARE = 0.53  # of its box, the area of a person whose outline is not labelled (CrowdPose's evaluation)


def evaluate(
    gt: Path | Mapping[str, Any], results: Results, kind: Kind = "coco", sigmas: Sequence[float] | None = None
) -> dict[str, float]:
    """Figures by name of a results list against labels; -1 where the labels hold nobody whom a figure speaks of.

    Args:
        gt: an annotation file in COCO's format, or its content. CrowdPose's figures need each image's `crowdIndex`.
        results: a results file, or its content: image_id, category_id, keypoints, score.
        kind: COCO's ten figures, or CrowdPose's nine.
        sigmas: the joints' fall-off, where the joints are not those of `kind`.

    Raises OSError: a file cannot be read; ValueError: one is not what it should be, or the two do not fit each other.
    """
    fall_off = list(SIGMAS[kind] if sigmas is None else sigmas)
    if not all(sigma > 0 for sigma in fall_off):
        raise ValueError(f"sigmas are shares of a person's scale, above 0; got {', '.join(map(str, fall_off))}")
    silent = {"print_function": lambda *_: None}
    reference = COCO(read_labels(gt, kind, joints=len(fall_off)), **silent)
    found = reference.loadRes(read_rows(results, images=set(reference.imgs), joints=len(fall_off)))
    task = "keypoints" if kind == "coco" else "keypoints_crowd"
    evaluator = COCOeval_faster(reference, found, task, kpt_oks_sigmas=fall_off, **silent)
    evaluator.run()
    return {name: float(evaluator.stats[place]) for name, place in FIGURES[kind].items()}


def read_labels(gt: Path | Mapping[str, Any], kind: Kind, *, joints: int) -> dict[str, Any]:
    """A copy of the labels that the evaluator can take and write into. Raises OSError, ValueError: as `evaluate`."""
    content, name = (read_json(gt), str(gt)) if isinstance(gt, Path) else (gt, "gt")
    with entry(name):
        annotations = [_annotation(a, i, kind) for i, a in enumerate(content["annotations"], 1) if "keypoints" in a]
        used = {annotation["category_id"] for annotation in annotations}
        categories = [category for category in content["categories"] if category["id"] in used]
        images = [dict(image) for image in content["images"]]
    if kind == "crowdpose" and not all("crowdIndex" in image for image in images):
        raise ValueError(f"{name}: its images have no 'crowdIndex', which CrowdPose's figures need; try kind coco")
    if others := {len(annotation["keypoints"]) / 3 for annotation in annotations} - {joints}:
        counts = f"the labels have {others.pop():g} joints, but there are {joints} sigmas"
        raise ValueError(f"{counts}: give one for each joint")
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(annotation: Row, number: int, kind: Kind) -> Row:
    """One label with all that the evaluator reads; numbered from 1, as it takes 0 for "no match"."""
    _, _, width, height = annotation["bbox"]
    outline = OUTLINE_SHARE * width * height
    area = outline if kind == "crowdpose" else annotation.get("area", outline)
    labelled = sum(v > 0 for v in annotation["keypoints"][2::3])
    return {"iscrowd": 0, "num_keypoints": labelled, **annotation, "area": area, "id": number}


def read_rows(results: Results, *, images: set[int], joints: int) -> list[Row]:
    """A copy of the results' rows, each of which fits the labels. Raises OSError, ValueError: as `evaluate`."""
    content, name = (read_json(results), str(results)) if isinstance(results, Path) else (results, "results")
    if not isinstance(content, Sequence):
        raise ValueError(f"{name}: a list of poses was expected, each with image_id, category_id, keypoints and score")
    rows = []
    for i, row in enumerate(content):
        with entry(f"{name}: pose {i}"):
            rows.append({key: row[key] for key in ("image_id", "category_id", "keypoints", "score")})
            if row["image_id"] not in images:
                raise ValueError(f"the labels have no image {row['image_id']}")
            if len(row["keypoints"]) != 3 * joints:
                raise ValueError(f"{len(row['keypoints'])} numbers for {joints} joints, expected three for each")
    return rows


@dataclass
class Everybody:
    """COCO's or CrowdPose's figures of poses found in whole pictures: written to a results file, evaluated."""

    results: Path  # the file to write
    skeleton: Skeleton  # with sigmas
    labels: Path | None  # without these nothing is measured
    kind: Kind = "coco"
    category: int = 1
    rows: list[Row] = field(default_factory=list)  # of the results file

    @property
    def headline(self) -> str:
        """`AP`, or `Null` for a split without labels."""
        return "AP" if self.labels else "Null"

    def add(self, record: ImageRecord, poses: Poses) -> None:
        """Take the poses of an image."""
        self.rows += pose_rows(record.id, poses, self.category)

    def compute(self) -> dict[str, float]:
        """The figures by name, after the results file was written.

        Raises OSError: the results cannot be written, or the labels not be read; ValueError: these are of other poses.
        """
        with written_beside(self.results) as path:
            path.write_text(json.dumps(self.rows))
        return evaluate(self.labels, self.rows, self.kind, self.skeleton.sigmas) if self.labels else {"Null": 0.0}


def pose_rows(image: int, poses: Poses, category: int = 1) -> list[Row]:
    """Rows of a results file: an image's poses, each with the box around all its joints."""
    low, size = poses.xy.min(1, initial=np.inf), np.ptp(poses.xy, axis=1)
    joints = np.concatenate([poses.xy, poses.scores[..., None]], -1).reshape(len(poses), 3 * poses.scores.shape[1])
    return [
        {"image_id": image, "category_id": category, "keypoints": points, "score": score, "bbox": box}
        for points, score, box in zip(
            joints.tolist(), poses.score.tolist(), np.concatenate([low, size], 1).tolist(), strict=True
        )
    ]


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
        rows = pose_rows(record.id, Poses(poses.xy, poses.scores, scores), self.category)
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
