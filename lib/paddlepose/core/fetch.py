"""Files from the web: fetched once, in as many connections as it takes, checked, and whole or not there at all."""

import hashlib
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, build_opener

from paddlepose.core.files import NotWrittenError, written_beside

try:
    import fcntl
except ImportError:  # on Windows, where programs that fetch at the same time are not kept apart
    fcntl = None

_CHUNK = 2**20  # bytes
_TIMEOUT = 30.0  # seconds without a byte
_PAUSE = 1.0  # seconds before a connection that was cut is made again
_NOTHING_LEFT = 416  # HTTP's status for a range that begins at the end of the file
_BAR = 30  # characters

_LOG = logging.getLogger(__name__)


class NotFetchedError(OSError):
    """A file could not be fetched; the message has its address, and where to put it by hand."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Block in which no other process or thread fetches files into a folder; others wait. The folder is made.

    Raises NotWrittenError: nothing can be written there.
    """
    lock = folder / ".lock"
    with _writing(lock):
        folder.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    with file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _LOG.info("=> waiting for another process that fetches files into %s", folder)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:  # a file system without locks
                _LOG.warning("%s cannot be locked (%s): let no other process fetch files there", folder, error.strerror)
        yield


def fetch(address: str, path: Path, checksum: str) -> None:
    """Fetch the file at an address to `path`, from where an earlier try was cut off.

    `checksum` is as in `check`. The environment's `http_proxy`, `https_proxy` and `no_proxy` are respected.

    Raises NotFetchedError: there is no such file or no connection, or what came is another file; NotWrittenError: the
    disk is full, or nothing can be written there. `path` is there whole, or not at all.
    """
    part = path.with_name(f".{path.name}.part")
    by_hand = f"or fetch it by hand and put it at {path}"
    if not checksum:  # nothing would tell that the rest is another file's
        part.unlink(missing_ok=True)
    try:
        _receive(address, part)
        check(part, checksum, path)
        part.replace(path)
    except NotWrittenError as error:
        part.unlink(missing_ok=True)
        raise NotWrittenError(f"{address}: {error}; make room, {by_hand}") from error
    except ValueError as error:
        part.unlink(missing_ok=True)
        raise NotFetchedError(f"{address}: another file came: {error}; try again, {by_hand}") from error
    except (OSError, HTTPException) as error:
        done = f" after {_size(part) / 1e6:.1f} MB, where the next try goes on" if _size(part) else ""
        raise NotFetchedError(f"{address}: {_reason(error)}{done}; try again, {by_hand}") from error


def check(file: Path, checksum: str, path: Path) -> None:
    """Hold a file, which is `path` or will be, to the beginning of its sha256.

    Where none is known, that of the first file is kept beside `path`, and later ones are held to it.

    Raises ValueError: it has another; NotWrittenError: it cannot be kept.
    """
    kept = path.with_name(f"{path.name}.sha256")  # as `sha256sum --check` reads it
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while data := opened.read(_CHUNK):
            digest.update(data)
    found = digest.hexdigest()
    expected = checksum or (kept.read_text().split()[0] if kept.is_file() else "")
    if not found.startswith(expected):
        raise ValueError(f"its sha256 begins with {found[:8]}, expected {expected[:8]}")
    if not expected:
        with written_beside(kept) as unfinished:
            unfinished.write_text(f"{found}  {path.name}\n")


def _receive(address: str, part: Path) -> None:
    """Write all of a file to `part`, over several connections if they are cut."""
    while True:
        start = _size(part)
        try:
            return _go_on(address, part, start)
        except NotWrittenError:
            raise
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError) and error.code == _NOTHING_LEFT and start:  # it was whole
                return None
            if _size(part) <= start:
                raise
            _LOG.info("=> the connection was cut (%s): going on", _reason(error))
            time.sleep(_PAUSE)


def _go_on(address: str, part: Path, start: int) -> None:
    """Write what follows the first `start` bytes of a file; all of it if the server cannot begin there.

    Raises NotWrittenError: `part` cannot be written; OSError, HTTPException: there is no connection, or it is cut.
    """
    headers = {"User-Agent": "paddlepose"} | ({"Range": f"bytes={start}-"} if start else {})
    with build_opener().open(Request(address, headers=headers), timeout=_TIMEOUT) as answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        total = None if answer.length is None else start + answer.length
        _LOG.info("=> fetching %s%s", address, f", {total / 1e6:.0f} MB" if total else "")
        done = start
        if not start:
            part.unlink(missing_ok=True)
        while data := answer.read1(_CHUNK):
            with _writing(part), part.open("ab") as file:  # anew for each, as closing it writes too
                file.write(data)
            done += len(data)
            _show(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"only {done:,} of {total:,} bytes came")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWrittenError(f"{path} was not written: {error.strerror or error}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    """What went wrong with a connection, in one line."""
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        error = error.reason
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def _show(done: int, total: int | None) -> None:
    """Draw on a terminal how much of a file has come."""
    if sys.stderr.isatty():
        share = done / total if total else 0
        bar = f"{'#' * round(_BAR * share):.<{_BAR}} {share:4.0%} " if total else ""
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{bar}{done / 1e6:.1f} MB{end}")
        sys.stderr.flush()
