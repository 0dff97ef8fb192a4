"""The folder, file or zip archive that is imported, and the images in it."""

import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from paddlepose.core.image import PICTURE_SUFFIXES

_LABEL_FOLDERS = ("annotations", "annot", "labels", "json")  # beside which, not in which, the images lie
_LABEL_SUFFIXES = frozenset({".json", ".xml", ".yaml", ".yml", ".txt", ".mat"})
_WORD = re.compile(rb'["<\n]([a-zA-Z_]+)')
_HIDDEN = (".", "__MACOSX")

# A zip archive of labels and images that unpacks to more than this many times its size is damaged or malicious: JSON
# and XML shrink some forty times, images not at all.
_MOST_GROWTH = 200
_ALWAYS = 2**26  # bytes that may be unpacked whatever the archive's size


class Place:
    """A folder with its files, and the one file that is to be imported, if it is named."""

    def __init__(self, root: Path, only: Path | None = None) -> None:
        """The folder `root`, read through to its last subfolder."""
        self.root, self._only = root, only
        self.files = sorted(_files(root))
        self._known = {*self.files, *(folder for path in self.files for folder in path.parents)}
        self._pictures = [path for path in self.files if path.suffix.lower() in PICTURE_SUFFIXES]
        self._words = cache(_words)
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self._pictures:
            for name in (path.name, path.stem):
                self._by_name[name].append(path)

    def labels(self, *suffixes: str, words: tuple[str, ...] = ()) -> list[Path]:
        """Files with these suffixes that have all the words as keys or tags; where a file is named, no other."""
        files = [self._only] if self._only else self.files
        chosen = [path for path in files if path.suffix.lower() in suffixes]
        return [path for path in chosen if set(words) <= self._words(path)] if words else chosen

    def pictures(self, folder: Path) -> list[Path]:
        """All images in a folder and its subfolders."""
        return [path for path in self._pictures if folder in path.parents]

    def picture(self, name: str, labels: Path) -> Path | None:
        """The image that a file of labels names: at that path, or else where most of the path's end agrees.

        Raises ValueError: several are alike.
        """
        pure = PurePosixPath(name.replace("\\", "/"))
        for folder in (labels.parent, self.root):
            if (path := Path(os.path.normpath(folder / pure))) in self._by_name.get(path.name, ()):
                return path
        found = self._by_name.get(pure.name, ())
        ranks = {path: (_common_end(path, pure), path.parent.name in labels.stem) for path in found}
        best = [path for path, rank in ranks.items() if rank == max(ranks.values())]
        if best[1:]:
            files = " and ".join(str(path.relative_to(self.root)) for path in best[:2])
            raise ValueError(f"{labels}: '{name}' may be {files}: give each image its own name")
        return best[0] if best else None

    def below(self, name: str, labels: Path) -> Path | None:
        """The file or folder within this one that a path stands for that was written on another machine."""
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        ends = (Path(*parts[start:]) for start in range(len(parts)))
        paths = (folder / end for end in ends for folder in (labels.parent, self.root))
        return next((path for path in paths if path in self._known), None)


def _files(root: Path) -> Iterator[Path]:
    """Files below a folder, also through links to folders, each folder once; hidden ones are left out."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(_HIDDEN)]
        if real not in seen:
            yield from (Path(folder, name) for name in names if not name.startswith(_HIDDEN))
        seen.add(real)


def _words(path: Path) -> frozenset[str]:
    """Words at the start of a text in quotes, of a tag or of a line: the keys of JSON and YAML and the tags of XML."""
    return frozenset(word.decode() for word in _WORD.findall(b"\n" + path.read_bytes()))


def _common_end(path: Path, pure: PurePosixPath) -> int:
    """Folders that two paths have in common, counted from the file's name."""
    pairs = list(zip(path.parts[-2::-1], pure.parts[-2::-1], strict=False))
    return next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))


@contextmanager
def opened(path: Path, beside: Path) -> Iterator[Place]:
    """What is at a path; an archive is unpacked into a folder in `beside`, which is there as long as the block runs.

    Raises FileNotFoundError: there is nothing; ValueError: an archive that is damaged, or whose members lead out of
    it or are too large.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_dir():
        yield Place(path)
    elif not zipfile.is_zipfile(path):
        file = path.absolute()
        folder = file.parent
        yield Place(folder.parent if folder.name.lower() in _LABEL_FOLDERS else folder, file)
    else:
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=beside) as folder:
            _unpack(path, Path(folder))
            try:
                yield Place(Path(folder))
            except ValueError as error:
                raise ValueError(str(error).replace(folder, str(path))) from error


def _unpack(path: Path, folder: Path) -> None:
    """The labels and images of an archive, and nothing else of it, into a folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(path, members, shutil.disk_usage(folder).free)
            for member in members:
                name = _safe(path, member.filename)
                if name.suffix.lower() in PICTURE_SUFFIXES | _LABEL_SUFFIXES:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, (folder / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
        raise ValueError(f"{path}: not a zip archive that can be read: {error}") from error


def _check(path: Path, members: list[zipfile.ZipInfo], free: int) -> None:
    """Refuse members that say they unpack to too much; Python reads no more of one than it says."""
    size, packed = sum(member.file_size for member in members), path.stat().st_size
    if size > max(_ALWAYS, _MOST_GROWTH * packed):
        hint = "unpack it by hand if that is right"
        raise ValueError(f"{path}: would unpack to {size / packed:,.0f} times its size; {hint}")
    if size > free:
        raise ValueError(f"{path}: unpacks to {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free")


def _safe(path: Path, name: str) -> Path:
    """A member's path. Raises ValueError: it leads out of the folder into which the archive is unpacked."""
    pure = PureWindowsPath(name)  # it knows both kinds of slashes
    if pure.drive or pure.root or ".." in pure.parts:
        raise ValueError(f"{path}: its member '{name}' leads out of the archive")
    return Path(*pure.parts)
