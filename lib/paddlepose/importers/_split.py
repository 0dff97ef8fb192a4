"""Which images are for training, and which for measuring."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from paddlepose.importers import Picture

USUAL_SHARE = 0.2  # of the images, for measuring
FOLDER = "folder"


def grouping(how: str | None) -> Callable[[Picture], str]:
    """The name of the group that an image belongs to: what the export says, its folder, or the start of its name.

    Raises ValueError: `how` is no regular expression; the function does where it does not match an image's name.
    """
    if how is None:
        return lambda picture: picture.group or str(picture.path)
    if how == FOLDER:
        return lambda picture: str(picture.path.parent)
    try:
        pattern = re.compile(how)
    except re.error as error:
        raise ValueError(f"--group-by {how}: expected '{FOLDER}' or a regular expression: {error}") from error

    def start(picture: Picture) -> str:
        if found := pattern.match(picture.path.name):
            return found[0]
        raise ValueError(f"--group-by {how}: does not match the start of '{picture.path.name}'")

    return start


def split(
    pictures: Sequence[Picture], group_of: Callable[[Picture], str], share: float | None, seed: int
) -> list[Picture]:
    """The images, each with its split: as the export has it, if that has both; else whole groups by chance.

    A `share` that is given counts before the export's splits, but images for testing stay that.

    Raises ValueError: they are all of one group.
    """
    stated = {picture.split for picture in pictures}
    if share is None and {"train", "val"} <= stated:
        return [replace(picture, split=picture.split or "train") for picture in pictures]
    if stated == {"test"}:  # a name alone, of a set that has nothing else
        pictures = [replace(picture, split=None) for picture in pictures]
    groups = defaultdict(list)
    for picture in pictures:
        if picture.split != "test":
            groups[group_of(picture)].append(picture)
    if len(groups) < 2:
        needed = "at least two groups of images are needed, one to train on and one to measure on"
        raise ValueError(f"{needed}; there are {len(groups)}")
    chosen = _chosen({name: len(group) for name, group in groups.items()}, share or USUAL_SHARE, seed)
    in_val = {picture.path for name in chosen for picture in groups[name]}
    train = [replace(one, split="val" if one.path in in_val else "train") for one in pictures if one.split != "test"]
    return train + [picture for picture in pictures if picture.split == "test"]


def _chosen(sizes: dict[str, int], share: float, seed: int) -> set[str]:
    """Groups by chance that hold about a share of all images: at least one group, and not all."""
    wanted, names, chosen = share * sum(sizes.values()), sorted(sizes), set()
    for i in np.random.default_rng(seed).permutation(len(names)):
        held = sum(sizes[name] for name in chosen)
        if len(chosen) < len(names) - 1 and held + sizes[names[i]] / 2 <= wanted:
            chosen.add(names[i])
    return chosen or {min(names, key=lambda name: sizes[name])}
