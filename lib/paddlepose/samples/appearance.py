"""Changes of how a crop looks, not of where its joints are: colour, blur, JPEG noise and hidden parts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from paddlepose.core.image import Picture
from paddlepose.settings import DatasetSection

_LUMA = np.float32([0.114, 0.587, 0.299])  # of blue, green, red (ITU-R BT.601)
_MOST_CUTOUTS = 3
_CUTOUT_SIDE = (0.08, 0.35)  # of the crop's sides
_BLUR = (0.5, 2.5)  # standard deviation in pixels of the crop
_QUALITY = (15, 70)  # of JPEG


@dataclass(frozen=True)
class Appearance:
    """One draw. A cut-out is x, y, width, height as shares of the crop and its grey level."""

    contrast: float = 1.0
    brightness: float = 0.0  # added to pixel values from 0 to 255
    gains: tuple[float, ...] = (1.0, 1.0, 1.0)  # by channel
    saturation: float = 1.0
    blur: float = 0.0
    quality: int | None = None
    cutouts: tuple[tuple[float, float, float, float, float], ...] = ()


def draw_appearance(rng: np.random.Generator, options: DatasetSection) -> Appearance | None:
    """A draw as COLOR_JITTER, PROB_BLUR, PROB_JPEG and PROB_CUTOUT say; None where all are 0."""
    if not (options.color_jitter or options.prob_blur or options.prob_jpeg or options.prob_cutout):
        return None
    spread = options.color_jitter
    contrast, brightness, saturation, *gains = rng.uniform(-spread, spread, 6)
    blur = rng.uniform(*_BLUR) if rng.random() < options.prob_blur else 0.0
    quality = int(rng.integers(*_QUALITY)) if rng.random() < options.prob_jpeg else None
    cutouts = []
    if rng.random() < options.prob_cutout:
        for _ in range(rng.integers(1, _MOST_CUTOUTS + 1)):
            size, level = rng.uniform(*_CUTOUT_SIDE, 2), rng.uniform(0, 255)
            cutouts.append((*(rng.random(2) - size / 2), *size, level))
    return Appearance(
        contrast=1 + contrast,
        brightness=128 * brightness,
        gains=tuple(1 + np.array(gains) / 3),  # a third: a cast is rarer in photographs than other light
        saturation=1 + saturation,
        blur=blur,
        quality=quality,
        cutouts=tuple(cutouts),
    )


def changed(crop: Picture, change: Appearance) -> Picture:
    """A crop (H, W, 3) BGR as `change` has it look; another array."""
    height, width = crop.shape[:2]
    crop = _recoloured(crop, change)
    if change.blur:
        crop = cv2.GaussianBlur(crop, (0, 0), change.blur)
    if change.quality is not None:
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, change.quality])[1], cv2.IMREAD_COLOR)
    for x, y, w, h, level in change.cutouts:
        left, top, right, bottom = (round(v) for v in (x * width, y * height, (x + w) * width, (y + h) * height))
        crop[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = int(level)
    return crop


def _recoloured(crop: Picture, change: Appearance) -> Picture:
    """The crop with each channel's line of contrast, brightness and gain, mixed with its grey levels."""
    weights = change.saturation * np.eye(3, dtype=np.float32) + (1 - change.saturation) * np.tile(_LUMA, (3, 1))
    weights = change.contrast * np.float32(change.gains)[:, None] * weights
    offset = np.full((3, 1), change.brightness + 128 * (1 - change.contrast), np.float32)
    matrix: NDArray[np.float32] = np.hstack([weights, offset])
    return cv2.transform(crop, matrix)
