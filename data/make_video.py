"""A video of three drawn people who walk to and fro and cross each other, and who is where in each frame.

The truth is beside the video, one JSON object a frame: `{"frame": 0, "people": [{"id": 1, "keypoints": {"nose": [x, y,
state]}}]}`, in pixels as in drawn_people.py; `state` is 0 outside the picture, 1 behind somebody, 2 visible.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from drawn_people import BONES, COCO, Figure, body_shapes, random_figure
from drawn_scenes import Person, Size, background, label, paint

Json = dict[str, Any]

RATE = 25.0  # frames per second
STATURES = (0.62, 0.7, 0.78)  # in picture heights, from back to front
SOLE = 0.5  # statures from the pelvis to the soles
SECONDS = (5.0, 9.0)  # there and back
STEPS = (0.9, 1.2)  # seconds for two steps
STRIDE, SWING = 0.4, 0.35  # radians to which thighs and arms swing


class Walker:
    """Somebody who walks to and fro; seconds give the figure."""

    def __init__(self, rng: np.random.Generator, size: Size, place: int) -> None:
        """Draw looks, pace and start; `place` 0 is the farthest from us, `size` the picture's (width, height)."""
        self.figure = replace(random_figure(rng, STATURES[place] * size[1]), faces_us=True, tilt=0.0, lean=0.0, nod=0.0)
        self.middle, self.reach = 0.5 * size[0], rng.uniform(0.3, 0.4) * size[0]
        self.ground = (0.92 + 0.03 * place) * size[1] - SOLE * self.figure.height
        self.turns = 2 * np.pi / np.array([rng.uniform(*SECONDS), rng.uniform(*STEPS)])  # radians per second
        self.starts = rng.uniform(0, 2 * np.pi, 2)

    def __call__(self, seconds: float) -> Figure:
        """The figure after so many seconds."""
        way, step = self.turns * seconds + self.starts
        thigh, arm = STRIDE * np.sin(step), SWING * np.sin(step)
        # Outwards is to the left on one side and to the right on the other: equal angles are opposite swings.
        angles = np.array([[arm, arm - 0.3, -thigh, -thigh - 0.1], [arm, arm + 0.3, -thigh, -thigh + 0.1]])
        position = np.array([self.middle + self.reach * np.sin(way), self.ground])
        bones = np.tile(BONES, (2, 1))
        return replace(self.figure, position=position, turn=0.6 * np.cos(way), angles=angles, bones=bones)


def frames(count: int, size: Size, seed: int) -> Iterator[tuple[np.ndarray, list[Person]]]:
    """Pictures (H, W, 3) uint8 BGR of `size` (width, height), and the people in each, always in one order."""
    rng = np.random.default_rng(seed)
    scene = background(rng, size)
    walkers = [Walker(rng, size, place) for place in range(len(STATURES))]
    for number in range(count):
        image, owner = scene.copy(), np.zeros(size[::-1], np.uint8)
        figures = [walker(number / RATE) for walker in walkers]
        for owned, figure in enumerate(figures, 1):
            paint(image, owner, body_shapes(figure), owned)
        yield image, [label(figure, owner, owned) for owned, figure in enumerate(figures, 1)]


def truth(number: int, people: list[Person]) -> Json:
    """The line of the JSON file for frame `number`."""
    records = []
    for owned, person in enumerate(people, 1):
        joints, state = person.named(COCO)
        table = np.column_stack([np.round(joints, 2), state]).tolist()
        keypoints = {name: [x, y, int(seen)] for name, (x, y, seen) in zip(COCO, table, strict=True)}
        records.append({"id": owned, "keypoints": keypoints})
    return {"frame": number, "people": records}


def make_video(path: Path, count: int, size: Size, seed: int) -> None:
    """Write a video, VP8 for `.webm` and else MPEG-4, and the truth as `.jsonl` beside it.

    Raises OSError: OpenCV cannot write such a video.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    code = "VP80" if path.suffix == ".webm" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), RATE, size)
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write a video of this kind")
    with path.with_suffix(".jsonl").open("w", encoding="utf-8") as lines:
        for number, (image, people) in enumerate(frames(count, size, seed)):
            writer.write(image)
            lines.write(json.dumps(truth(number, people)) + "\n")
    writer.release()


def _size(text: str) -> Size:
    width, height = (int(side) for side in text.split("x"))
    if min(width, height) < 32 or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(f"{text}: a video needs 32 pixels or more a side, and even numbers")
    return width, height


def main(argv: list[str] | None = None) -> int:
    """Write the video that the command line names; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="video to write, .webm or .mp4; the truth goes to .jsonl beside it")
    parser.add_argument("--frames", type=int, default=250, help="%(default)s are ten seconds")
    parser.add_argument("--size", type=_size, default=(320, 240), metavar="WIDTHxHEIGHT", help="of the frames")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other people")
    arguments = parser.parse_args(argv)
    try:
        make_video(arguments.file, arguments.frames, arguments.size, arguments.seed)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.file}: {arguments.frames} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main())
