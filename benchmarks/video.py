"""Videos: whether people keep their ids, whether memory grows, and how near `deploy` comes to the network alone.

The people are those of data/make_video.py. In the first table's first row a stand-in for the network gives their true
joints with noise, without whoever is hidden and without some poses by chance; the rest is `paddlepose deploy` as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from memory import in_new_process, peak
from scipy.optimize import linear_sum_assignment
from timing import medians, table, warn_of_load

from paddlepose.commands import _pictures, _video
from paddlepose.core.boxes import Rows
from paddlepose.core.image import Picture
from paddlepose.core.media import Video
from paddlepose.core.predict import BottomUp, TopDown
from paddlepose.core.predictor import Found, Predictor
from paddlepose.core.types import Card, Poses
from paddlepose.datasets._skeleton import COCO
from paddlepose.runtime import load

SIZE = (320, 240)
HIDDEN = 0.6  # share of joints behind others from which a person is not found
MISSED = 0.03  # share of poses that are not found for no reason
NOISE = 2.0  # pixels, of people 150 to 190 pixels tall; three times as much for joints behind others
NEAR = 20.0  # pixels, of half the joints, within which a pose is a person's
FIRST = 200  # frames after which memory should no longer grow


class Everybody(Predictor):
    """Stands in for a bottom-up model: the people of the next frame, in any order."""

    card = Card("bottom_up", "truth", SIZE, COCO, {})

    def __init__(self, film: Path, seed: int) -> None:
        """For a video with its truth beside it."""
        self.rows = iter(_truth(film).read_text().splitlines())
        self.rng = np.random.default_rng(seed)

    def find(self, pictures: Sequence[Picture], rows: Sequence[Rows | None]) -> list[Found]:
        """The poses; the picture is not looked at."""
        found, rng = [], self.rng
        for person in json.loads(next(self.rows))["people"]:
            x, y, state = np.array(list(person["keypoints"].values())).T
            if (state == 1).mean() < HIDDEN and rng.uniform() >= MISSED:
                off = rng.normal(0, NOISE, (17, 2)) * np.where(state == 1, 3, 1)[:, None]
                scores = np.where(state == 1, rng.uniform(0.05, 0.4, 17), rng.uniform(0.5, 0.95, 17))
                found.append((np.stack([x, y], 1) + off, scores))
        found = [found[i] for i in rng.permutation(len(found))]
        xy, scores = (np.array([row[i] for row in found]) for i in (0, 1))
        return [(Poses(xy.reshape(-1, 17, 2), scores.reshape(-1, 17), scores.reshape(-1, 17).mean(1)), None)]


class Measured(Predictor):
    """A predictor that notes the memory in use before each frame."""

    def __init__(self, predictor: Everybody | BottomUp, peaks: list[float]) -> None:
        """The peaks are appended, in MB."""
        self.predictor, self.card, self.peaks = predictor, predictor.card, peaks

    def find(self, pictures: Sequence[Picture], rows: Sequence[Rows | None]) -> list[Found]:
        """The predictor's poses."""
        self.peaks.append(peak())
        return self.predictor.find(pictures, rows)


def main() -> None:
    """Print the figures as Markdown tables."""
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory() as name:
        film = Path(name, "walk.webm")
        in_new_process(write, film, arguments.frames, arguments.seed)
        titles = ["", "frames", "people found", "ids right", "ids changed"]
        titles += [f"MB after {FIRST}", "MB at the end", "difference"]
        rows = [["stand-in", *in_new_process(follow, film, None, arguments.seed)]]
        if arguments.model and _load(arguments.model).card.kind == "bottom_up":
            rows.append([arguments.model.name, *in_new_process(follow, film, arguments.model, arguments.seed)])
        print(table(titles, rows), end="\n\n")
        if arguments.model:
            warn_of_load()
            short = Path(name, "short.webm")
            write(short, arguments.speed_frames, arguments.seed)
            titles = ["", "network alone", "deploy", "ratio"]
            print(table(titles, [speed(arguments.model, short, arguments.threads, arguments.repeats)]))


def write(film: Path, frames: int, seed: int) -> None:
    """Draw the video."""
    sys.path.append(str(Path(__file__).parents[1] / "data"))
    from make_video import make_video

    make_video(film, frames, SIZE, seed)


def follow(film: Path, model: Path | None, seed: int) -> list[str]:
    """The row of people, ids and memory: in a right frame, everybody has the id with which they were first seen."""
    peaks: list[float] = []  # MB, by frame
    if model:
        predictor = _load(model)
    else:
        predictor = Everybody(film, seed)
        _video.FINDERS = 1  # the stand-in takes the frames in their order
    _deploy(Measured(predictor, peaks), film)
    found, true = (path.read_text().splitlines() for path in (film.with_name("walk_result.jsonl"), _truth(film)))
    first, last, right, changed, seen, there = {}, {}, 0, 0, 0, 0
    for row, wanted in zip(found, true, strict=True):
        people = json.loads(wanted)["people"]
        ids = _ids(json.loads(row)["people"], people)
        seen, there = seen + len(ids), there + len(people)
        first = ids | first
        changed += sum(last.get(i, number) != number for i, number in ids.items())
        last |= ids
        right += all(first[i] == number for i, number in ids.items())
    early, late = max(peaks[:FIRST]), peak()
    memory = [f"{value:.1f}" for value in (early, late, late - early)]
    return [str(len(found)), f"{seen / there:.2%}", f"{right / len(found):.2%}", str(changed), *memory]


def _ids(found: list[Any], true: list[Any]) -> dict[int, int]:
    """Of each true person who was found, the id there; found poses far from everybody are nobody's."""
    places = [np.array(list(person["keypoints"].values()))[:, :2] for person in found]
    people = [np.array(list(person["keypoints"].values()))[:, :2] for person in true]
    off = np.array([[np.median(np.hypot(*(a - b).T)) for b in people] for a in places]).reshape(len(found), len(true))
    pairs = zip(*linear_sum_assignment(off), strict=True)
    return {true[column]["id"]: found[row]["id"] for row, column in pairs if off[row, column] < NEAR}


def speed(model: Path, film: Path, threads: int | None, repeats: int) -> list[str]:
    """The row of frames a second: of the network on what it is given, and of all of `deploy`."""
    predictor = _load(model, threads)
    network, given = predictor.network, []
    predictor.network = lambda images: given.append(images) or network(images)
    frames = list(Video(film))
    boxes = [] if predictor.card.kind == "bottom_up" else [[[0, 0, *SIZE]]]
    predictor(frames[0].picture, *boxes)
    predictor.network = network
    calls = {
        "alone": lambda _: [network(images) for _ in frames for images in given],
        "deploy": lambda _: _deploy(predictor, film),
    }
    rates = {name: len(frames) / seconds for name, seconds in medians(calls, repeats).items()}
    return [model.name, *(f"{rate:.2f}/s" for rate in rates.values()), f"{rates['deploy'] / rates['alone']:.3f}"]


def _load(model: Path, threads: int | None = None) -> TopDown | BottomUp:
    """The predictor of an exported file, flipping as `deploy` does."""
    predictor = load(model, threads=threads)
    predictor.flip_test = predictor.card.kind == "bottom_up"
    return predictor


def _truth(film: Path) -> Path:
    return film.with_suffix(".jsonl")


def _deploy(predictor: object, film: Path) -> None:
    parser = argparse.ArgumentParser()
    _pictures.add_arguments(parser)
    with contextlib.redirect_stdout(sys.stderr):
        status = _pictures.run(predictor, parser.parse_args(["--img", str(film), "--out", str(film.parent)]))
    if status:
        raise AssertionError(f"deploy ended with status {status}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="an exported network, to see its speed, and a bottom-up one's ids")
    parser.add_argument("--threads", type=int, help="of the CPU that a layer may use")
    parser.add_argument("--speed-frames", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
