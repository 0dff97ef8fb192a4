"""One training sample of a 640x480 JPEG against the bare cost of reading, warping and normalizing the same picture."""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from subject import card, experiment, picture
from timing import medians, table, warn_of_load

from paddlepose.core.geometry import Region
from paddlepose.core.types import IMAGENET_MEAN, IMAGENET_STD, ImageRecord, Person
from paddlepose.samples.augment import draw
from paddlepose.samples.topdown import TopDownSamples

MEAN, STD = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)


def main() -> None:
    """Print both medians and their ratio as a Markdown table."""
    arguments = _parser().parse_args()
    warn_of_load()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.picture or _drawn(Path(folder, "picture.jpg"))
        height, width = cv2.imread(str(path)).shape[:2]
        turns = arguments.repeats + 1
        record = ImageRecord(0, path, tuple(_person(width, height) for _ in range(turns)))
        samples = TopDownSamples([record], card(), experiment(), train=True)
        matrices = [_matrix(samples, i, width) for i in range(turns)]
        size = samples.card.input_size
        if not np.allclose(samples[0]["image"], bare(path, matrices[0], size), atol=1e-5):
            raise AssertionError("the two crops differ")
        calls = {"sample": samples.__getitem__, "bare": lambda i: bare(path, matrices[i], size)}
        seconds = medians(calls, arguments.repeats)
        if arguments.profile:
            _profile(samples)
    ratio = seconds["sample"] / seconds["bare"]
    rows = [[name, f"{value * 1000:.2f}"] for name, value in seconds.items()]
    print(table(["one sample", "ms"], [*rows, ["ratio", f"{ratio:.2f}"]]))


def bare(path: Path, matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """Input (3, H, W) of a picture's crop, in the plain way."""
    crop = cv2.warpAffine(cv2.imread(str(path)), matrix, size, flags=cv2.INTER_LINEAR)
    image = (crop.astype(np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _matrix(samples: TopDownSamples, index: int, width: int) -> NDArray[np.float64]:
    """The matrix that sample `index` is cropped with."""
    _, person = samples.people[index]
    change = draw(np.random.default_rng((samples.seed, samples.epoch, index)), samples.options, person)
    matrix, _ = samples.place(person, change, width)
    return matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]) if change.flip else matrix


def _person(width: int, height: int) -> Person:
    """A person of 17 labelled joints, as high as two thirds of a picture of this size."""
    box = np.array([0.35 * width, 0.15 * height, 0.3 * width, 0.67 * height])
    places = np.random.default_rng(0).random((17, 2)) * box[2:] + box[:2]
    joints = np.concatenate([places, np.ones((17, 1))], 1)
    return Person(joints, Region.from_box(box, 192 / 256), box, float(box[2:].prod()))


def _drawn(path: Path) -> Path:
    cv2.imwrite(str(path), picture(np.random.default_rng(0)), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def _profile(samples: TopDownSamples) -> None:
    """Print where the time of all samples goes."""
    with cProfile.Profile() as profile:
        for i in range(len(samples)):
            samples[i]
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(15)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="a JPEG file; else one is drawn")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="print where the time goes, too")
    return parser


if __name__ == "__main__":
    main()
