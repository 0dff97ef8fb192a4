"""The annotation file of a split in COCO's format, and the skeleton that it describes."""

from paddlepose.core.files import entry
from paddlepose.core.nms import DEFAULT_SIGMA
from paddlepose.core.types import Skeleton
from paddlepose.datasets import Source, _disk, _skeleton
from paddlepose.metrics import labels
from paddlepose.metrics.labels import Labels


def read(source: Source) -> tuple[Labels, Skeleton]:
    """The labels of a split, and the skeleton of their people.

    Raises FileNotFoundError: there is no file; ValueError: it is not in COCO's format, or the source's skeleton does
    not fit its joints.
    """
    names = [f"annotations/{kind}{source.split}.json" for kind in ("person_keypoints_", "")]
    is_test = source.split.startswith("test")
    if is_test:
        names.insert(0, f"annotations/image_info_{source.split}.json")  # COCO's test splits have images without labels
    path = _disk.find_labels(source.root, *names, f"json/crowdpose_{source.split}.json")
    usual = source.skeleton.get("joints") or (_skeleton.COCO.joints if is_test else ())
    found = labels.read(path, source.category, joints=len(usual))
    joints = found.category.joints or usual
    if not joints:
        raise ValueError(f"{path}: category '{found.category.name}' has no 'keypoints', the list of its joints' names")
    if found.count != len(joints):
        raise ValueError(f"{_skeleton.KEY}.JOINTS: {len(joints)} names, but the labels have {found.count} joints")
    with entry(str(path)):
        made = _skeleton.build(found.category.name, joints, found.category.limbs, source.skeleton, sigma=DEFAULT_SIGMA)
    return found, made
