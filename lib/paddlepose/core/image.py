"""Pictures: reading, cropping, and a network's input. Pictures are (H, W, 3) uint8 in the order of OpenCV, BGR."""

import os
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import check_members, entry
from paddlepose.core.limits import MOST_BYTES, MOST_PIXELS
from paddlepose.core.types import Card, ImageRecord

Picture = NDArray[np.uint8]

PICTURE_SUFFIXES = frozenset(".jpg .jpeg .jpe .jfif .png .bmp .webp .tif .tiff .avif .jp2 .ppm .pgm .pbm .pnm".split())

_PIXEL_LIMIT = "CV_IO_MAX_IMAGE_PIXELS"  # as OpenCV names it in its message; in the environment with OPEN before it
_NEAR_FACTOR = 0.02  # two sides are scaled alike if their factors differ by less, as sizes are whole pixels

# The marks that begin a JPEG file, begin its last scan, and end it.
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">16sIIBB")  # the start and the first chunk's, then width, height, bits, kind of colour
_PNG_CHANNELS = {2: 3, 4: 2, 6: 4}  # of kinds of colour; others have one
_MOST_INFLATED = 1032  # bytes that zlib can make of one


def read_picture(path: Path, *, upright: bool = False) -> Picture:
    """Picture (H, W, 3) BGR of a file, or of a member of an archive (`pictures.zip@/a.jpg`).

    It is turned as its EXIF data say if `upright`, else it is as stored.

    Raises FileNotFoundError: there is no such file or member; ValueError: it is no picture, or one that is cut off.
    """
    with entry(str(path)):
        return _read(path, upright)


def read_record(record: ImageRecord) -> Picture:
    """Picture (H, W, 3) BGR of an image record, as stored or turned as its EXIF data say: as its labels are drawn.

    Raises FileNotFoundError, ValueError: as `read_picture`, and where its size is not that of its labels either way.
    """
    picture = read_picture(record.path, upright=record.upright)
    size = picture.shape[1::-1]
    if record.size in (None, size):
        return picture
    turned = read_picture(record.path, upright=True)
    if turned.shape[1::-1] == record.size:
        return turned
    factor = np.divide(size, record.size)
    how = f", a factor of {factor[0]:.3g}: " if np.ptp(factor) < _NEAR_FACTOR else ": "
    sizes = f"the file has {size[0]}x{size[1]} pixels, its labels are for {record.size[0]}x{record.size[1]}"
    raise ValueError(f"{record.path}: {sizes}{how}bring the images and their labels to one size")


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as stored. Raises FileNotFoundError, ValueError: as `read_picture`."""
    height, width = read_picture(path).shape[:2]
    return width, height


def _read(path: Path, upright: bool) -> Picture:
    data = _read_bytes(path)
    if _is_cut_off(data):
        raise ValueError(f"{path}: the JPEG file is cut off: copy or download it again")
    _check_png(data, path)
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        if _PIXEL_LIMIT not in str(error):
            raise
        raise ValueError(_too_large(path)) from error
    if picture is None:
        raise ValueError(f"{path}: not a picture that OpenCV can read")
    return picture


def _is_cut_off(data: bytes) -> bool:
    """A JPEG whose last scan is not ended; OpenCV would fill the rest with grey and say nothing."""
    may_be = data.startswith(_JPEG_START) and not data.endswith(_JPEG_END)
    return may_be and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)


def _most_pixels() -> int:
    return int(os.environ.get(f"OPEN{_PIXEL_LIMIT}", MOST_PIXELS))


def _too_large(path: Path) -> str:
    return f"{path}: more than {_most_pixels():,} pixels; OPEN{_PIXEL_LIMIT} in the environment raises the limit"


def _check_png(data: bytes, path: Path) -> None:
    """Raises ValueError: a PNG file's header says that it holds more than it can, or more than is read."""
    if not data.startswith(_PNG_START) or len(data) < _PNG_HEADER.size:
        return
    _, width, height, depth, color = _PNG_HEADER.unpack_from(data)
    count = width * height * depth * _PNG_CHANNELS.get(color, 1) // 8
    if width * height > _most_pixels():  # OpenCV, if it was imported before this package, would look at them
        raise ValueError(_too_large(path))
    if count > _MOST_INFLATED * len(data) or _png_end(data) > len(data):  # OpenCV makes room for what a chunk claims
        raise ValueError(f"{path}: the PNG file is damaged or cut off: {width}x{height} pixels are not in it")
    if count > MOST_BYTES:
        raise ValueError(f"{path}: its pixels take {count:,} bytes, at most {MOST_BYTES:,} are read")


def _png_end(data: bytes) -> int:
    """Where the last chunk before IEND ends, by the chunks' own lengths."""
    place = len(_PNG_START)
    while place + 8 <= len(data) and data[place + 4 : place + 8] != b"IEND":
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place


def _read_bytes(path: Path) -> bytes:
    archive, in_archive, member = str(path).partition(".zip@/")
    if not in_archive:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such picture")
        return path.read_bytes()
    file, members = _open_archive(archive + ".zip", os.getpid())
    try:
        return file.read(members[member])
    except KeyError:
        raise FileNotFoundError(f"{path}: the archive has no such member") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted, or an unknown method
        raise ValueError(f"{path}: damaged in the archive ({error}): copy or download it again") from error


@lru_cache(maxsize=8)
def _open_archive(path: str, process: int) -> tuple[zipfile.ZipFile, dict[str, str]]:
    """An archive kept open, and its members; one for each process, as forked ones would share its file position."""
    file = zipfile.ZipFile(path)
    check_members(file)
    return file, archive_members(file)


def archive_members(file: zipfile.ZipFile) -> dict[str, str]:
    """Names in an archive by the names without the folder that is called like the archive, as COCO's own have one."""
    folder = f"{Path(str(file.filename)).stem}/"
    return {name.removeprefix(folder): name for name in file.namelist()}


def warp(picture: Picture, matrix: NDArray[np.float64], out_size: tuple[int, int]) -> Picture:
    """Crop of `out_size` (width, height) that `matrix` (2, 3), from picture to crop, describes; black outside."""
    return cv2.warpAffine(picture, matrix, out_size, flags=cv2.INTER_LINEAR)


def to_input(crop: Picture, card: Card, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Array (3, H, W) for the network: the card's channel order, pixels scaled to 0..1 and normalized.

    It is `out` where that is given, such as a part of a batch.
    """
    image = np.empty((3, *crop.shape[:2]), np.float32) if out is None else out
    channels = cv2.split(crop)
    for channel, levels, place in zip(
        channels[::-1] if card.rgb else channels, _levels(card.mean, card.std), image, strict=True
    ):
        cv2.LUT(channel, levels, place)
    return image


@lru_cache(maxsize=8)
def _levels(mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """Normalized value of each of the 256 pixel values, by channel: (3, 256)."""
    pixels = np.arange(256, dtype=np.float32) / np.float32(255)
    return (pixels - np.float32(mean)[:, None]) / np.float32(std)[:, None]
