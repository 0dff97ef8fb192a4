"""Files that are whole or not there at all, one clear line for those that cannot be read, and silence."""

import glob
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.limits import MOST_BYTES


class NotWrittenError(OSError):
    """A file could not be written; the message names it."""


class MistakesError(ValueError):
    """Several mistakes in one file, a line of the message each; every other error's message is one line."""

    def __init__(self, lines: Iterable[str]) -> None:
        """What is printed as so many lines, whatever line breaks their values have."""
        self.lines = [visible(line) for line in lines]
        super().__init__("\n".join(self.lines))


def beside(path: Path) -> Path:
    """Where this process writes what will be at `path`: in the same folder, with the same suffix."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Delete what was written `beside` its place in a folder, of names that match, by processes that are gone."""
    for path in folder.glob(pattern):
        found = re.fullmatch(r"\..+\.(\d+)(\.[^.]+)?", path.name)
        if found and _is_gone(int(found[1])):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_leftovers_of(path: Path) -> None:
    """Delete those of one file, as `remove_leftovers` does."""
    remove_leftovers(path.parent, f".{glob.escape(path.stem)}.*")


def _is_gone(process: int) -> bool:
    """Whether none runs of that number but this one, which has an earlier one's; on Linux, where it can be known."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return Path("/proc/self").exists()
    return process == os.getpid() or state == "Z"


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Path to write to, in the same folder and with the same suffix; what was written then becomes `path`.

    Whatever interrupts the writing, `path` holds the old file or the new one, never half of it. Folders are made.

    Raises NotWrittenError: the file could not be written, on a full disk for one; the message names `path`.
    """
    unfinished = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except NotWrittenError:  # another file's, inside the block
        raise
    except OSError as error:
        raise NotWrittenError(f"{path} was not written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Empty folder beside `path` for the time of the block."""
    folder = beside(path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises OSError: it cannot be opened; ValueError: it is not JSON; the message has the position.
    """

    def refuse(name: str) -> None:
        """Python's reader takes NaN and Infinity, which JSON has not and no box or joint can be."""
        raise ValueError(f"{path}: {name} is no number of JSON's")

    with entry(str(path)):
        try:
            return json.loads(path.read_bytes(), parse_constant=refuse)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"not JSON: no text at byte {error.start}") from error


def read_arrays(file: Path | IO[bytes], name: str) -> dict[str, NDArray[Any]]:
    """Arrays by name of a file that `np.savez` wrote; nothing that stands in it is run.

    Raises OSError: it cannot be opened; ValueError: it is no such file, or of more bytes than `MOST_BYTES`; the message
    has `name`.
    """
    with entry(name):
        try:
            with ZipFile(file) as archive:
                check_members(archive)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except FileNotFoundError:
            raise
        except Exception as error:  # whatever zipfile, NumPy and the tokenizer of its headers raise
            raise ValueError(f"no arrays that numpy wrote as .npz ({_reason(error)})") from error


def check_members(archive: ZipFile) -> None:
    """Raises ValueError: a member of the archive would need more memory than is believed of any."""
    for member in archive.infolist():
        if member.file_size > MOST_BYTES:
            size = f"{member.file_size:,} bytes, at most {MOST_BYTES:,} are read"
            raise ValueError(f"its member {member.filename} says that it has {size}")


@contextmanager
def entry(where: str) -> Iterator[None]:
    """Block that reads what `where` names: any exception in it is a ValueError of one line that begins with the name.

    OSErrors, which name their file, pass as they are, and so do ValueErrors that already begin with it.

    Raises ValueError: a key is missing, a value is not what the block takes, or a library could not read it.
    """
    try:
        yield
    except Exception as error:  # libraries raise what they like: OpenCV its own error, zipfile RuntimeError
        reason, is_system = _reason(error), isinstance(error, OSError)
        named = type(error) is not OSError or error.filename if is_system else reason.startswith(where)
        if named and isinstance(error, OSError | ValueError):
            raise
        raise ValueError(f"{where}{reason}" if isinstance(error, KeyError) else f"{where}: {reason}") from error


def _reason(error: Exception) -> str:
    """What an exception says, in one line."""
    if isinstance(error, KeyError):
        return f" has no {error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    if isinstance(error, ValueError):
        return str(error) or "no message"
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[0] if isinstance(error, TypeError) else f"{type(error).__name__}: {lines[0]}"


def visible(line: str) -> str:
    """A line with what a terminal would obey, such as escape sequences in a file's names, written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


@contextmanager
def silence() -> Iterator[None]:
    """Inside, nothing reaches the screen, not even what libraries in C++ write past Python."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, copy in enumerate(kept, 1):
                os.dup2(copy, stream)
                os.close(copy)
