"""CrowdPose: its files are in COCO's format, its pictures crowded (Li et al., CrowdPose, CVPR 2019).

The folder holds json/crowdpose_<split>.json, and images/ or images.zip.
"""

from pathlib import Path

from paddlepose.core.types import Skeleton
from paddlepose.datasets import Source, _skeleton, coco
from paddlepose.datasets.coco import pictures, records
from paddlepose.metrics.coco import Everybody
from paddlepose.settings import TestSection

__all__ = ["metric", "picture_metric", "pictures", "records", "skeleton"]


def skeleton(source: Source) -> Skeleton:
    """The joints that the annotation file describes, or CrowdPose's 14; errors as in COCO's."""
    return coco.skeleton(source, _skeleton.CROWDPOSE)


def metric(source: Source, out: Path, options: TestSection) -> Everybody:
    """CrowdPose's figures. Raises ValueError: an image has no `crowdIndex`, by which they are told apart."""
    return _checked(coco.metric(source, out, options))


def picture_metric(source: Source, out: Path, tag: str) -> Everybody:
    """CrowdPose's figures for poses of whole pictures; errors as of `metric`."""
    return _checked(coco.picture_metric(source, out, tag))


def _checked(made: Everybody) -> Everybody:
    if made.kind != "crowdpose" and made.labels.annotations:
        raise ValueError(f"{made.labels.name}: an image has no 'crowdIndex', which CrowdPose's figures need")
    return made
