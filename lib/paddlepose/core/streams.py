"""Pictures on the web, streams and cameras."""

import logging
import re
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import cv2

from paddlepose.core.image import PICTURE_SUFFIXES, Picture, read_picture

_TIMEOUT = 10.0  # seconds without an answer
_WAITS = (1, 2, 4, 8, 15, 30)  # seconds before a stream that broke off is tried again; after the last it has ended
_MOST_BYTES = 1 << 28  # of a picture

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Where a picture, a stream or a camera is: an address such as `rtsp://host/door`, or a camera's number."""

    url: str

    def __str__(self) -> str:
        """The address without the name and the password in it, for messages and results."""
        return re.sub(r"(?<=://)[^/]*@", "", self.url)

    @property
    def place(self) -> Path:
        """A file's name that stands for it where results are named: its host, folders and name."""
        if self.url.isdigit():
            return Path(f"camera{self.url}")
        parts = urlsplit(str(self))
        query = re.sub(r"\W+", "_", parts.query)
        folders = [part for part in parts.path.split("/") if part not in ("", ".", "..")]
        *outer, name = [re.sub(r"\W+", "_", parts.netloc), *folders]
        return Path(*outer, f"{query}_{name}" if query else name)


def address(text: str) -> Address | None:
    """The address that a text is, or None: it is a file's name. Raises ValueError: it is malformed."""
    if "://" not in text and not (text.isdigit() and not Path(text).exists()):
        return None
    try:
        urlsplit(text)
    except ValueError as error:
        raise ValueError(f"{text}: not an address: {error}") from error
    return Address(text)


def fetch(where: Address) -> Picture | None:
    """The picture (H, W, 3) BGR at an address, upright, or None: there is something else, such as a stream.

    Raises ValueError: it cannot be had, or is no picture.
    """
    if not where.url.startswith(("http://", "https://")):
        return None
    suffix = Path(urlsplit(where.url).path).suffix.lower()
    try:
        with urlopen(Request(where.url, headers={"User-Agent": "paddlepose"}), timeout=_TIMEOUT) as reply:
            if reply.headers.get_content_maintype() != "image" and suffix not in PICTURE_SUFFIXES:
                return None
            data = reply.read(_MOST_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise ValueError(f"{where}: cannot be fetched: {getattr(error, 'reason', None) or error}") from error
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{where}: larger than {_MOST_BYTES >> 20} MB")
    with TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        path.write_bytes(data)
        try:
            return read_picture(path, upright=True)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), str(where))) from error


def connect(where: Address) -> cv2.VideoCapture:
    """The camera, or the stream or video at an address, opened if that is possible."""
    if where.url.isdigit():
        return cv2.VideoCapture(int(where.url))
    waits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(_TIMEOUT * 1000), cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(_TIMEOUT * 1000)]
    return cv2.VideoCapture(where.url, cv2.CAP_FFMPEG, waits)


class Live:
    """A capture of a camera or a stream that is opened again when it breaks off."""

    def __init__(self, where: Address, capture: cv2.VideoCapture) -> None:
        """Go on with an open `capture`."""
        self._where, self._capture, self._closed = where, capture, Event()

    def grab(self) -> bool:
        """Whether there is a next frame; not, once the stream stays away for a minute or `close` was called."""
        if self._capture.grab():
            return True
        for wait in _WAITS:
            _LOG.warning("%s: broke off, trying again in %d s", self._where, wait)
            if self._closed.wait(wait):
                return False
            self._capture = connect(self._where)
            if self._capture.grab():
                return True
        _LOG.warning("%s: has ended", self._where)
        return False

    def retrieve(self) -> tuple[bool, Picture | None]:
        """The frame that was grabbed, as of `cv2.VideoCapture`."""
        return self._capture.retrieve()

    def close(self) -> None:
        """Have it not opened again."""
        self._closed.set()
