"""What of a data set lies on the disk, and one clear line for what does not."""

import logging
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

from paddlepose.core.files import check_members, entry
from paddlepose.core.image import archive_members
from paddlepose.core.types import ImageRecord
from paddlepose.datasets import Source

HELP = "data/README.md says where each data set comes from and where it goes"

_LOG = logging.getLogger(__name__)


def find_labels(root: Path, *names: str) -> Path:
    """The first of the named files in the data set's folder that exists.

    Raises FileNotFoundError: the folder does not exist, or none of the files does.
    """
    for name in names:
        if (root / name).is_file():
            return root / name
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such data folder; {HELP}")
    others = f" (nor {', '.join(names[1:])})" if names[1:] else ""
    raise FileNotFoundError(f"{root / names[0]}: no such file{others}, expected the labels of this split; {HELP}")


def split_folder(source: Source) -> Path:
    """Where the pictures are; COCO keeps those of all its test splits in `test2017`."""
    names = ["test2017", source.split] if source.split.startswith("test") else [source.split]
    images = source.root / "images"
    if not source.archive:
        return next((images / name for name in names if (images / name).is_dir()), images)
    archives = [images / f"{name}.zip" for name in names]
    found = next((path for path in [*archives, images.with_suffix(".zip")] if path.is_file()), archives[0])
    return found.with_suffix(".zip@")


class Pictures:
    """Where the pictures of a split are, by the names that labels give them."""

    def __init__(self, folder: Path, source: Source) -> None:
        """Pictures of a folder, or of an archive (`images.zip@`); a name may already hold a part of the way to it."""
        self._places = [folder] if source.archive else [folder, source.root, source.root / "images"]
        self._allow_outside = source.allow_outside
        self._names = cache(_names)

    def path(self, name: str | None) -> Path:
        """Path of a picture; the usual one if it is at none of its places.

        Raises ValueError: there is no name, or it leads out of the data set's folder, which must be allowed.
        """
        if not name:
            raise ValueError("it has no 'file_name'")
        pure = PurePosixPath(name.replace("\\", "/"))
        if not self._allow_outside and (pure.is_absolute() or ".." in pure.parts):
            raise ValueError(f"file_name '{name}' lies outside the data folder; DATASET.ALLOW_OUTSIDE true reads it")
        paths = [place / pure for place in self._places]
        return next((path for path in paths if self._exists(path)), paths[0])

    def _exists(self, path: Path) -> bool:
        place, name = _place(path)
        return name in self._names(place)

    def checked(self, records: list[ImageRecord], labels: str) -> list[ImageRecord]:
        """The records of a file of labels, whose number is logged; each one's picture is there.

        Raises FileNotFoundError: naming the first picture that is missing, how many are, and the file that names them;
        ValueError: an archive that cannot be read.
        """
        paths = [record.path for record in records]
        if missing := [path for path in paths if not self._exists(path)]:
            count = f"{len(missing)} of {len(paths)} pictures that {labels} names are missing"
            folder, in_archive, _ = str(missing[0]).partition(".zip@/")
            other = f"; DATASET.DATA_FORMAT jpg reads {folder}" if in_archive and Path(folder).is_dir() else ""
            raise FileNotFoundError(f"{missing[0]}: no such picture; {count}{other}; {HELP}")
        _LOG.info("=> load %d samples in %d pictures", sum(len(record.people) for record in records), len(set(paths)))
        return records


def _place(path: Path) -> tuple[str, str]:
    """Folder or archive of a picture, and its name there."""
    archive, in_archive, member = str(path).partition(".zip@/")
    return (archive + ".zip@", member) if in_archive else (str(path.parent), path.name)


def _names(place: str) -> frozenset[str]:
    """Names of all that is in a folder or an archive; none where there is no such place."""
    with suppress(FileNotFoundError, NotADirectoryError), entry(place.removesuffix("@")):
        if place.endswith(".zip@"):
            with zipfile.ZipFile(place[:-1]) as archive:
                check_members(archive)
                return frozenset(archive_members(archive))
        return frozenset(path.name for path in Path(place).iterdir())
    return frozenset()
