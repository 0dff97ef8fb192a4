"""Data sets and a configuration small enough that a training of some epochs takes seconds.

Pictures are noise of 96 x 96 pixels. Each shows two people, the last one perhaps one, with labels drawn by dice too.
"""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import scipy.io
import yaml

from paddlepose.datasets._skeleton import COCO
from paddlepose.datasets.mpii import JOINTS

SIDE = 96  # pixels
PEOPLE = 8

_MPII_NAMES = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri".split()


def write_coco(root: Path, people: int = PEOPLE) -> Path:
    """Folder of a set in COCO's format, with the detections of its people in `detections.json`."""
    rng = np.random.default_rng(0)
    names = _write_pictures(root / "images", rng, people)
    boxes = _boxes(rng, people)
    annotations = [
        {"id": i + 1, "image_id": i // 2 + 1, "category_id": 1, "iscrowd": 0, "bbox": box, "area": 900.0}
        | {"keypoints": np.column_stack([_points(rng, box, 17), np.full(17, 2)]).ravel().tolist(), "num_keypoints": 17}
        for i, box in enumerate(boxes)
    ]
    images = [{"id": i + 1, "file_name": name, "width": SIDE, "height": SIDE} for i, name in enumerate(names)]
    limbs = [[a + 1, b + 1] for a, b in COCO.limbs]
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.joints), "skeleton": limbs}]
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    labels = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / "person_keypoints_tiny.json").write_text(json.dumps(labels))
    found = [{"image_id": i // 2 + 1, "category_id": 1, "bbox": box, "score": 0.9} for i, box in enumerate(boxes)]
    (root / "detections.json").write_text(json.dumps(found))
    return root


def write_mpii(root: Path, people: int = PEOPLE) -> Path:
    """Folder of a set in MPII's format: `train`, and `valid` with its ground truth."""
    rng = np.random.default_rng(0)
    names = _write_pictures(root / "images", rng, people)
    boxes = _boxes(rng, people)
    rows = [
        {"image": names[i // 2], "center": [box[0] + box[2] / 2, box[1] + box[3] / 2], "scale": box[3] / 200}
        | {"joints": _points(rng, box, len(JOINTS)).tolist(), "joints_vis": [1] * len(JOINTS)}
        for i, box in enumerate(boxes)
    ]
    (root / "annot").mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid"):
        (root / "annot" / f"{split}.json").write_text(json.dumps(rows))
    heads = np.array([[[x, y], [x + w / 4, y + h / 4]] for x, y, w, h in boxes])
    truth = {
        "dataset_joints": np.array([_MPII_NAMES], object),
        "jnt_missing": np.zeros((len(JOINTS), people)),
        "pos_gt_src": np.array([row["joints"] for row in rows]).transpose(1, 2, 0),
        "headboxes_src": heads.transpose(1, 2, 0),
    }
    scipy.io.savemat(root / "annot" / "gt_valid.mat", truth)
    return root


def write_config(path: Path, root: Path, **sections: dict) -> Path:
    """YAML file of a small network's training for an epoch on the COCO set in `root`; sections may change it."""
    content = {
        "OUTPUT_DIR": str(path.parent / "output"),
        "LOG_DIR": str(path.parent / "log"),
        "WORKERS": 0,
        "PRINT_FREQ": 1,
        "DATASET": {"DATASET": "coco", "ROOT": str(root), "TRAIN_SET": "tiny", "TEST_SET": "tiny"},
        "MODEL": {"DEPTH": 18, "IMAGE_SIZE": [64, 64], "HEATMAP_SIZE": [16, 16], "NUM_DECONV_FILTERS": [8, 8, 8]},
        "TRAIN": {"BATCH_SIZE": 4, "END_EPOCH": 1, "LR_STEP": [1, 2]},
        "TEST": {"BATCH_SIZE": 4, "USE_GT_BBOX": True},
    }
    for name, values in sections.items():
        content[name] = {**content.get(name, {}), **values} if isinstance(values, dict) else values
    path.write_text(yaml.safe_dump(content))
    return path


def _write_pictures(folder: Path, rng: np.random.Generator, people: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{i:012d}.jpg" for i in range(1, (people + 1) // 2 + 1)]
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    return names


def _boxes(rng: np.random.Generator, people: int) -> list[list[float]]:
    """Box (x, y, width, height) of each person."""
    corners, sizes = rng.integers(4, 30, (people, 2)), rng.integers(40, 60, (people, 2))
    return np.hstack([corners, sizes]).astype(float).tolist()


def _points(rng: np.random.Generator, box: list[float], joints: int) -> np.ndarray:
    """Joints (K, 2) within a box."""
    return np.round(np.array(box[:2]) + rng.random((joints, 2)) * box[2:], 1)


def write_jpeg(path, picture, orientation=None):
    """A picture as JPEG; its EXIF data say that it is to be turned, if there is an `orientation`."""
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    if orientation is not None:
        tag = struct.pack(">4sIHHHIHHI", b"MM\x00*", 8, 1, 0x112, 3, 1, orientation, 0, 0)
        exif = b"Exif\x00\x00" + tag
        data = data[:2] + struct.pack(">HH", 0xFFE1, len(exif) + 2) + exif + data[2:]
    path.write_bytes(data)
