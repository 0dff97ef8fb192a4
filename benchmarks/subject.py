"""What is measured: networks for COCO's joints at 256x192, and pictures like photographs."""

from __future__ import annotations

import cv2
import numpy as np
from families import HEATMAP_SIZE, INPUT_SIZE, MODELS

from paddlepose import config
from paddlepose.core.image import Picture
from paddlepose.core.types import Card
from paddlepose.datasets._skeleton import COCO
from paddlepose.experiment import Config

PICTURE_SIZE = (640, 480)  # the commonest in COCO


def experiment(name: str = "pose_resnet_50") -> Config:
    """A configuration for one of `families.MODELS` on COCO."""
    return config.parse(
        {
            "DATASET": {"DATASET": "coco", "SCALE_FACTOR": 0.3, "ROT_FACTOR": 40},
            "MODEL": {**MODELS[name], "IMAGE_SIZE": INPUT_SIZE, "HEATMAP_SIZE": HEATMAP_SIZE},
            "TEST": {"USE_GT_BBOX": True},
        }
    )


def card() -> Card:
    """How PoseResNet-50 is used."""
    return experiment().card(COCO)


def picture(rng: np.random.Generator, size: tuple[int, int] = PICTURE_SIZE) -> Picture:
    """Picture (H, W, 3) of `size` (width, height): blurred noise, of coarse and of fine grain.

    As a JPEG file of quality 90 it has as many bits a pixel, 2.3, as COCO's photographs have at that quality; they
    decide how long it takes to read.
    """
    width, height = size
    levels = np.full((height, width, 3), 128, np.float32)
    for blur, contrast in ((40.0, 60.0), (8.0, 30.0), (1.5, 15.0)):
        grain = cv2.GaussianBlur(rng.standard_normal((height, width, 3), np.float32), (0, 0), blur)
        levels += grain * np.float32(contrast / grain.std())
    return levels.clip(0, 255).astype(np.uint8)
