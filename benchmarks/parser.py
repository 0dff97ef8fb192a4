"""The bottom-up parser and target generators against plain loops: `OMP_NUM_THREADS=1 python benchmarks/parser.py`.

Both work on the same synthetic people, on one thread, and take turns; what they find must be the same. Needs PyTorch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np
import plain_parser
import torch
from numpy.typing import NDArray
from timing import medians, table, warn_of_load

from paddlepose.codecs.regression import Answer, Codec, up_interpolate

Floats = NDArray[np.floating]

PEOPLE = {1: (1, 1), 10: (2, 5), 30: (5, 6)}  # and how many rows and columns they stand in
PARSERS = {"512x512, stride 4": (512, 4, (0.1,)), "640x640, stride 2": (640, 2, (0.1, 0.025))}
RESOLUTIONS = (128, 320)  # of the targets
PLAIN, OWN = "plain", "paddlepose"
PIXELS, SCORE = 5e-3, 2e-4  # by which poses may differ

# A standing figure in a unit box, x and y of COCO's joints.
FIGURE = np.array(
    [0.50, 0.06, 0.53, 0.04, 0.47, 0.04, 0.57, 0.06, 0.43, 0.06, 0.66, 0.20, 0.34, 0.20, 0.74, 0.36, 0.26, 0.36]
    + [0.80, 0.50, 0.20, 0.50, 0.60, 0.52, 0.40, 0.52, 0.62, 0.74, 0.38, 0.74, 0.63, 0.96, 0.37, 0.96]
).reshape(17, 2)


def main() -> None:
    """Print median milliseconds and how many times faster ours is, as Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="turns, of which the medians count")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    warn_of_load()
    titles = [f"{step}{of}" for step in ("regression path", "final path") for of in _COLUMNS]
    rows = [
        [
            name,
            count,
            *_cells([parser_calls(size, stride, weights, count, snap=snap) for snap in (False, True)], repeats),
        ]
        for name, (size, stride, weights) in PARSERS.items()
        for count in PEOPLE
    ]
    print(table(["input, maps", "people", *titles], rows), end="\n\n")
    titles = [f"{step}{of}" for step in ("heatmaps", "offsets") for of in _COLUMNS]
    rows = [[size, count, *_cells(target_calls(size, count), repeats)] for size in RESOLUTIONS for count in PEOPLE]
    print(table(["pixels a side", "people", *titles], rows))


Calls = dict[str, Callable[[int], object]]

_COLUMNS = (", plain, ms", ", paddlepose, ms", ", times faster")


def _cells(steps: list[Calls], repeats: int) -> list[str]:
    """For each step both medians and their ratio."""
    cells = []
    for calls in steps:
        seconds = medians(calls, repeats)
        cells += [f"{seconds[name] * 1000:.1f}" for name in (PLAIN, OWN)] + [f"{seconds[PLAIN] / seconds[OWN]:.0f}"]
    return cells


def parser_calls(size: int, stride: int, weights: tuple[float, ...], count: int, *, snap: bool) -> Calls:
    """One parse by each, on maps of so many people, after a look that both find the same poses."""
    joints, _ = people(900 + count, boxes(count, size))
    heatmaps, positions = maps(900 + count, joints, size // stride, stride)
    fused = up_interpolate(heatmaps, (size, size))
    codec = Codec((size, size), (size // stride,) * 2, bg_weight=weights)
    tensors = [torch.from_numpy(array) for array in (heatmaps, positions, fused)]
    answer = Answer([heatmaps], [positions], fused)
    calls: Calls = {
        PLAIN: lambda turn: plain_parser.parse(*tensors, snap=snap),
        OWN: lambda turn: codec.decode(answer, snap=snap),
    }
    (wanted, scores), found = (call(0) for call in calls.values())
    assert len(found) == count, f"{len(found)} people found, expected {count}"
    np.testing.assert_allclose(found.xy, wanted[..., :2], rtol=0, atol=PIXELS)
    np.testing.assert_allclose(found.scores, wanted[..., 2], rtol=0, atol=SCORE)
    np.testing.assert_allclose(found.score, scores, rtol=0, atol=SCORE)
    return calls


def target_calls(size: int, count: int) -> list[Calls]:
    """Heatmaps, and offsets, of so many people by each, after a look that both are the same."""
    joints, areas = people(900 + count, boxes(count, size))
    codec = Codec((4 * size, 4 * size), (size, size))
    calls: list[Calls] = [
        {
            PLAIN: lambda turn: plain_parser.heatmaps(joints, size),
            OWN: lambda turn: codec.heatmap(joints, size, 0.1),
        },
        {
            PLAIN: lambda turn: plain_parser.offsets(joints, 16 * areas, size),
            OWN: lambda turn: codec.offsets(joints, 16 * areas, size),
        },
    ]
    for step in calls:
        for own, wanted in zip(step[OWN](0), step[PLAIN](0), strict=True):
            np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-6)
    return calls


def boxes(count: int, size: int) -> Floats:
    """Boxes (P, 4: x, y, width, height) of people who stand side by side in a square."""
    rows, columns = PEOPLE[count]
    row, column = np.divmod(np.arange(count), columns)
    width, height = size / columns, size / rows
    x, y = column * width + 0.1 * width, row * height + 0.05 * height
    return np.stack([x, y, np.full(count, 0.8 * width), np.full(count, 0.9 * height)], 1)


def people(seed: int, boxes: Floats) -> tuple[Floats, Floats]:
    """Joints (P, 18, 3: x, y, visibility) of people who fill boxes, the centre last, and their areas (P,)."""
    rng = np.random.RandomState(seed)
    joints = np.ones((len(boxes), len(FIGURE) + 1, 3))
    for person, (x, y, width, height) in zip(joints, boxes, strict=True):
        person[:-1, :2] = (FIGURE + rng.normal(0, 0.03, FIGURE.shape)) * (width, height) + (x, y)
        rng.uniform(size=len(FIGURE))  # who is to be hidden: nobody
        person[:-1, 2] = rng.randint(1, 3, len(FIGURE))
        person[-1, :2] = person[:-1, :2].mean(0)
    return joints, boxes[:, 2] * boxes[:, 3]


def maps(seed: int, joints: Floats, side: int, stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Heatmaps (18, h, w) and positions (34, h, w) such as a network gives for people, with noise."""
    rng = np.random.RandomState(seed)
    places, pixels = joints[..., :2] / stride, np.arange(side)
    heights = rng.uniform(0.35, 0.95, places.shape[:2])
    sigma = np.append(np.full(len(FIGURE), 2.0), 4.0)[:, None]
    across, down = (np.exp(-((pixels - places[..., axis, None]) ** 2) / (2 * sigma**2)) for axis in (0, 1))
    heat = (heights[..., None, None] * down[..., None] * across[..., None, :]).max(0)
    noise = rng.uniform(0, 0.004, heat.shape)
    heat[:, 2:-2, 2:-2] += noise[:, 2:-2, 2:-2]
    grid = np.stack(np.meshgrid(pixels, pixels), -1)
    owner = ((grid[:, :, None] - places[:, -1]) ** 2).sum(-1).argmin(-1)
    positions = places[owner, :-1].transpose(2, 3, 0, 1).reshape(-1, side, side)
    return heat.astype(np.float32), (positions + rng.normal(0, 0.3, positions.shape)).astype(np.float32)


if __name__ == "__main__":
    main()
