"""A ready experiment for an imported set: its input's size from the boxes, its pairs and sigmas, a small network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paddlepose.core.geometry import PADDING
from paddlepose.core.types import Skeleton
from paddlepose.datasets import _skeleton
from paddlepose.importers import Floats, Found

_STEP = 32  # pixels of which both sides are multiples: the network halves its input so often
_SIDES = 128, 224  # root of the input's area, from that of the people's boxes
_MOST_ASPECT = 2.5
_STRIDE = 4  # of the heatmaps
_BATCH = 16
_STEPS, _EPOCHS = 8000, (20, 300)  # about so many steps, within so many epochs


def input_size(boxes: Floats) -> tuple[int, int]:
    """Width and height for crops of people's boxes (N, 4), of their usual aspect and, within limits, of their size."""
    sides = boxes[:, 2:].clip(1)
    aspect = float(np.clip(np.median(sides[:, 0] / sides[:, 1]), 1 / _MOST_ASPECT, _MOST_ASPECT))
    side = float(np.clip(PADDING * np.median(np.sqrt(sides.prod(1))), *_SIDES))
    width, height = (max(2, round(side * factor / _STEP)) * _STEP for factor in (aspect**0.5, aspect**-0.5))
    return width, height


def skeleton(found: Found) -> tuple[Skeleton, str]:
    """The skeleton with its flip pairs, and, where it is not known what a mirrored person looks like, why.

    That is so where no name says a side, because there are no names or only numbers, and where only one side has one.
    """
    names, limbs = found.joints, found.limbs
    if found.flip_pairs is not None:
        pairs = [(names[i], names[j]) for i, j in found.flip_pairs]
        return _skeleton.build(found.category, names, limbs, {"flip_pairs": pairs}), ""
    without_pairs = _skeleton.build(found.category, names, limbs, {"flip_pairs": ()})
    if not found.has_names or all(name.isdecimal() for name in names):
        return without_pairs, "the joints have no names that say left and right"
    try:
        return _skeleton.build(found.category, names, limbs, {}), ""
    except ValueError as error:
        return without_pairs, str(error).partition(":")[0]


def text(
    root: Path,
    size: tuple[int, int],
    described: Skeleton,
    *,
    can_flip: bool,
    sigmas: Sequence[float] | None,
    people: int,
) -> str:
    """The experiment's YAML for a set in `root` with so many people to train on."""
    pairs = [[described.joints[i], described.joints[j]] for i, j in described.flip_pairs]
    known: Mapping[str, Any] = {"FLIP_PAIRS": pairs} | ({"SIGMAS": list(sigmas)} if sigmas else {})
    steps = max(1, people // _BATCH)
    content = {
        "PRINT_FREQ": 20,
        "WORKERS": 1,
        "DATASET": {"DATASET": "coco", "ROOT": str(root), "TRAIN_SET": "train", "TEST_SET": "val", "COLOR_RGB": True}
        | ({} if can_flip else {"FLIP": False})
        | {"SCALE_FACTOR": 0.25, "ROT_FACTOR": 30, "COLOR_JITTER": 0.2, "SKELETON": known},
        "MODEL": {
            "NAME": "pose_resnet",
            "DEPTH": 18,
            "WIDTH": 32,
            "IMAGE_SIZE": list(size),
            "HEATMAP_SIZE": [side // _STRIDE for side in size],
            "SIGMA": 2,
            "NUM_DECONV_FILTERS": [64, 64, 64],
            "INIT_WEIGHTS": False,
        },
        "TRAIN": {
            "BATCH_SIZE": _BATCH,
            "END_EPOCH": int(np.clip(_STEPS // steps, *_EPOCHS)),
            "OPTIMIZER": "adamw",
            "LR": 0.001,
            "LR_TYPE": "CosineDecay",
            "WARMUP_STEPS": 50,
            "WD": 0.01,
        },
        "TEST": {"USE_GT_BBOX": True},
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
