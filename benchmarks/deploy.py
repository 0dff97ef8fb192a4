"""From a picture to poses by PoseResNet-50 256x192, against the network alone, and eight people at once against one."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from subject import card, experiment, picture
from timing import medians, table, warn_of_load

from paddlepose.core.geometry import Region, crop_matrix
from paddlepose.core.image import Picture, to_input, warp
from paddlepose.core.predict import TopDown
from paddlepose.engine.evaluate import as_network
from paddlepose.export import export
from paddlepose.models import build_network
from paddlepose.runtime import load

PEOPLE = 8


def main() -> None:
    """Print the medians and ratios of onnxruntime and of Paddle as a Markdown table."""
    arguments = _parser().parse_args()
    warn_of_load()
    model = build_network(experiment(), 17)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "posenet.onnx")
        export(model, card(), path)
        predictors = {
            "onnxruntime": load(path, threads=arguments.threads),
            "Paddle": TopDown(as_network(model), card()),
        }
    scene = picture(np.random.default_rng(0))
    titles = ["", "network alone, ms", "picture to poses, ms", "ratio", "1 person a call", "8 people a call", "ratio"]
    rows = [[name, *figures(predictor, scene, arguments.repeats)] for name, predictor in predictors.items()]
    print(table(titles, rows))


def figures(predictor: TopDown, scene: Picture, repeats: int) -> list[str]:
    """One row: milliseconds of one person with and without the network's surroundings, people a second by call."""
    boxes = _boxes(scene.shape[1], scene.shape[0])
    images = _input(predictor, scene, boxes[0])
    one = medians(
        {"alone": lambda _: predictor.network(images), "whole": lambda _: predictor(scene, boxes[:1])}, repeats
    )
    crowd = medians(
        {
            "singly": lambda _: [predictor(scene, boxes[i : i + 1]) for i in range(PEOPLE)],
            "together": lambda _: predictor(scene, boxes),
        },
        -(-repeats // PEOPLE),
    )
    return [
        *(f"{one[name] * 1000:.1f}" for name in ("alone", "whole")),
        f"{one['whole'] / one['alone']:.3f}",
        *(f"{PEOPLE / crowd[name]:.1f}/s" for name in ("singly", "together")),
        f"{crowd['singly'] / crowd['together']:.2f}",
    ]


def _input(predictor: TopDown, scene: Picture, box: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the network sees of one person: (1, 3, H, W)."""
    size = predictor.card.input_size
    region = Region.from_box(box, size[0] / size[1], predictor.card.padding)
    return to_input(warp(scene, crop_matrix(region, size), size), predictor.card)[None]


def _boxes(width: int, height: int) -> NDArray[np.float64]:
    """Boxes (8, 4: x, y, width, height) side by side."""
    left = np.arange(PEOPLE) * width / PEOPLE
    return np.stack([left, *np.full((3, PEOPLE), [[0.2 * height], [width / PEOPLE], [0.6 * height]])], 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=80)
    parser.add_argument("--threads", type=int, help="of onnxruntime, which else takes all cores")
    return parser


if __name__ == "__main__":
    main()
