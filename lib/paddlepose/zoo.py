"""Models by name: a table of published files, and the folder where those that were named are kept."""

import csv
import importlib.util
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from paddlepose import plugins
from paddlepose.core.fetch import alone, check, fetch
from paddlepose.core.files import check_members, entry, written_beside

_HOME = Path(__file__).parent
_SHIPPED = _HOME / "shipped"  # models that are part of the package
_TABLE = _HOME / "zoo.csv"
_USES = {"pose": "a pose network", "trunk": "a trunk for MODEL.PRETRAINED", "detector": "a detector for --detector"}
_CONVERT = "import sys; from paddlepose.commands import main; sys.exit(main(sys.argv[1:]))"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A published file."""

    name: str
    kind: Literal["pose", "trunk", "detector"]
    data: str  # what it was trained on
    size: str  # of its input, height x width
    figure: str  # by its authors, with its metric's name
    sha256: str  # or its beginning; empty where none is published
    experiment: str  # that describes the network, in experiments/
    licence: str
    source: str
    address: str  # empty where it is part of the package

    @property
    def file(self) -> Path:
        """Where the file is kept, under the name that its authors gave it."""
        return folder() / self.address.rpartition("/")[2] if self.address else _SHIPPED / f"{self.name}.pdparams"

    @property
    def onnx(self) -> Path:
        """Where its ONNX file is kept: the file itself, or what is made of it once."""
        return self.file if self.file.suffix == ".onnx" else self.file.with_name(f"{self.name}.onnx")


def folder() -> Path:
    """Where fetched files are kept: PADDLEPOSE_HOME, else `paddlepose` in XDG_CACHE_HOME, else ~/.cache/paddlepose."""
    if home := os.environ.get("PADDLEPOSE_HOME"):
        return Path(home).expanduser().absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches).absolute() / "paddlepose"


@cache
def table() -> Mapping[str, Row]:
    """The known models by name; those that are part of the package only where they are there."""
    with _TABLE.open(newline="") as file:
        rows = [Row(**row) for row in csv.DictReader(file)]
    return MappingProxyType({row.name: row for row in rows if row.address or row.onnx.is_file()})


def find(source: str | Path, *, onnx: bool = False) -> Path:
    """The file of a model's name, fetched if it is not here yet; any other path, and a file of that name, as it is.

    A name gives its weights, or with `onnx` its ONNX file, which is made of the weights once.

    Raises FileNotFoundError: there is neither a file nor a model of that name; NotFetchedError, NotWrittenError: as
    `fetch`; ValueError: the model is of another use, or its ONNX file cannot be made.
    """
    path, row = Path(source), table().get(str(source))
    if path.is_file() or (row is None and (path.suffix or path.name != str(source))):
        return path
    if row is None:
        hint = plugins.nearest(str(source), list(table()))
        raise FileNotFoundError(f"{source}: no such file, and no model of that name{hint} See `paddlepose models`")
    if (row.kind == "trunk" and onnx) or (row.kind == "detector" and not onnx and row.address):
        raise ValueError(f"{row.name}: is {_USES[row.kind]}, not {_USES['pose']}")
    target = row.onnx if onnx else row.file
    if target.is_file() and target == row.file:
        _check(row)
    elif not target.is_file() and row.address:
        if onnx and row.file.suffix == ".pth":
            _check_converter(row)
        with alone(folder()):
            if not target.is_file():  # another process has made it in the meantime
                _make(row, target)
    return target


def _check(row: Row) -> None:
    """Raises ValueError: a file that is here is not the published one."""
    try:
        if row.address:
            check(row.file, row.sha256, row.file)
    except ValueError as error:
        raise ValueError(f"{row.file}: {error}; delete it, and it is fetched again from {row.address}") from error


def _make(row: Row, target: Path) -> None:
    """Fetch the published file, if it is not here, and make of it what is asked for."""
    if row.file.is_file():
        _check(row)
    else:
        fetch(row.address, row.file, row.sha256)
    if target == row.file:
        return
    if row.file.suffix == ".zip":
        with entry(str(row.file)), zipfile.ZipFile(row.file) as archive, written_beside(target) as unfinished:
            check_members(archive)
            (member,) = (name for name in archive.namelist() if name.endswith(".onnx"))
            unfinished.write_bytes(archive.read(member))
    else:
        _convert(row, target)


def _check_converter(row: Row) -> None:
    """Raises ValueError: Paddle is not here, which makes an ONNX file of a trainer's weights."""
    if not all(importlib.util.find_spec(name) for name in ("paddle", "paddle2onnx")):
        raise ValueError(
            f"{row.name}: these are PyTorch's weights, of which an ONNX file is made once, with Paddle, which is not "
            f"installed: pip install 'paddlepose[train]', or run `paddlepose convert {row.name} --out {row.onnx.name}` "
            f"on a machine that has it, and put that file at {row.onnx}"
        )


def _convert(row: Row, target: Path) -> None:
    """Make an ONNX file of a trainer's weights, in a process of its own, so that none of Paddle stays in this one."""
    _LOG.info("=> %s is converted to ONNX, once", row.name)
    arguments = ["convert", str(row.file), "--out", str(target)]
    done = subprocess.run([sys.executable, "-c", _CONVERT, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise ValueError(f"{row.name}: not converted to ONNX: {lines[-1].removeprefix('error: ')}")
