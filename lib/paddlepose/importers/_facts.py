"""The size of an image's file, from its header alone."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from paddlepose.importers import LeftOut

UNREADABLE = "images that cannot be read"

_ORIENTATION = 0x112  # of EXIF; 1 is as stored, 5 to 8 change width and height
_SIDEWAYS = range(5, 9)

Size = tuple[int, int]


@dataclass(frozen=True)
class Facts:
    """Width and height of an image, as stored and as its EXIF data turn it."""

    stored: Size
    upright: Size
    turned: bool  # or mirrored


@lru_cache(maxsize=2**20)
def facts(path: Path) -> Facts:
    """What the header of an image file says. Raises ValueError: it is no image that can be read."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            size, orientation = image.size, image.getexif().get(_ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not an image that can be read") from error
    upright = size[::-1] if orientation in _SIDEWAYS else size
    return Facts(size, upright, orientation in range(2, 9))


def upright_size(path: Path, left_out: LeftOut) -> Size | None:
    """Width and height of an image as its EXIF data turn it; None, and counted, if it cannot be read."""
    try:
        return facts(path).upright
    except ValueError:
        left_out.add(UNREADABLE, path.name)
        return None
