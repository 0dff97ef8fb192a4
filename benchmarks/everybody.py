"""Bottom-up networks, exported: how far onnxruntime's answers and poses are from Paddle's, and what the rest costs.

One file of each network takes real pictures of several sizes, alone and two at a time. The first table has the largest
difference of any output, as a share of its largest value, and of the final poses with flip test, in pixels of the
picture, and the share of joints that are near. The second has, for one picture with flip test at one and at three
scales, the time from the picture to the poses against that of the network's passes alone. Weights are drawn as
networks.py does it.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from networks import draw_weights
from numpy.typing import NDArray
from timing import medians, table, warn_of_load

from paddlepose.config import load_config
from paddlepose.core.image import Picture, read_picture
from paddlepose.core.predict import BottomUp, Network, whole_inputs
from paddlepose.core.types import Card
from paddlepose.datasets import Source, coco
from paddlepose.engine.evaluate import as_network
from paddlepose.export import export
from paddlepose.models import build_network
from paddlepose.runtime import OrtNetwork

EXPERIMENTS = Path(__file__).parents[1] / "experiments" / "coco"
FILES = (
    "w32/w32_4x_reg_delaysep_bg01_stn_512_adam_lr1e-3_coco_x140.yaml",
    "w48/w48_2x_reg_delaysep_bg01_0025_stn_640_adam_lr1e-3_coco_x140.yaml",
)
SIDES = (512, 640, 384)  # pixels of the shorter side
NEAR = 0.1  # pixels of the picture, within which joints should be
SCALES = ((1.0,), (0.5, 1.0, 2.0))

Arrays = NDArray[np.float32]


def main() -> None:
    """Print both tables."""
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    warn_of_load()
    records = coco.pictures(Source(arguments.root, arguments.split, 1.0), train=True)
    pictures = [read_picture(record.path) for record in records[: arguments.pictures]]
    equal, times = [], []
    for name in FILES:
        config = load_config(EXPERIMENTS / name)
        card = config.card(coco.skeleton(config.source(train=False)))
        model = build_network(config, len(card.skeleton.joints))
        draw_weights(model, whole_inputs(pictures[:1], card))
        with tempfile.TemporaryDirectory() as folder:
            export(model, card, Path(folder, "everybody.onnx"))
            ours, exported = as_network(model), OrtNetwork(Path(folder, "everybody.onnx"))
        title = f"{config.model.name} W{config.arguments('model')['width']}, {card.input_size[0]}"
        equal += [[title, *row] for row in differences(card, ours, exported, pictures)]
        times += [[title, *row] for row in overheads(card, exported, pictures[0], arguments.repeats)]
    titles = ["", "shorter side", "maps, 1 picture", "maps, 2 pictures", "people", "joints, px", f"within {NEAR} px"]
    print(table(titles, equal), end="\n\n")
    print(table(["", "scales", "network alone, s", "picture to poses, s", "ratio"], times))


def differences(card: Card, ours: Network, exported: Network, pictures: Sequence[Picture]) -> list[list[object]]:
    """A row for each size of the input."""
    rows = []
    for side in SIDES:
        sized = replace(card, input_size=(side, side), codec={**card.codec, "input_size": (side, side)})
        share = side / card.input_size[0]
        heatmap = tuple(int(share * pixels) for pixels in card.codec["heatmap_size"])
        sized.codec["heatmap_size"] = heatmap
        images = [whole_inputs([picture], sized) for picture in pictures]
        batches = images, [image.repeat(2, 0) for image in images]
        maps = [max(_difference(ours(batch), exported(batch)) for batch in of_number) for of_number in batches]
        people, off = 0, [np.zeros(0)]
        for picture in pictures:
            one, other = (BottomUp(network, sized, flip_test=True)(picture) for network in (ours, exported))
            people += len(one)
            off.append(np.abs(one.xy - other.xy).max(-1).ravel() if len(one) == len(other) else np.array([np.inf]))
        pixels = np.concatenate(off)
        near = f"{(pixels <= NEAR).mean():.2%}"
        rows.append([side, *(f"{value:.1e}" for value in maps), people, f"{pixels.max(initial=0):.2g}", near])
    return rows


def overheads(card: Card, network: Network, picture: Picture, repeats: int) -> list[list[object]]:
    """A row for each choice of scales: seconds of the network's passes, and of all."""
    rows = []
    for scales in SCALES:
        seen: list[Arrays] = []

        def remember(images: Arrays, seen: list[Arrays] = seen) -> list[Arrays]:
            seen.append(images)
            return network(images)

        BottomUp(remember, card, flip_test=True, scales=scales)(picture)
        predictor = BottomUp(network, card, flip_test=True, scales=scales)
        calls = {
            "alone": lambda _, seen=seen: [network(images) for images in seen],
            "all": lambda _, predictor=predictor: predictor(picture),
        }
        seconds = medians(calls, repeats)
        ratio = seconds["all"] / seconds["alone"]
        rows.append([", ".join(f"{s:g}" for s in scales), *(f"{s:.2f}" for s in seconds.values()), f"{ratio:.3f}"])
    return rows


def _difference(outputs: Sequence[Arrays], others: Sequence[Arrays]) -> float:
    """The largest difference of any output, as a share of its largest value.

    Where Paddle's has several heads and the file their maximum, these are joined.
    """
    found = 0.0
    for one, other in zip(outputs, others, strict=True):
        heads = one.reshape(len(one), -1, *other.shape[1:]).max(1)
        found = max(found, float(np.abs(heads - other).max() / np.abs(heads).max()))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("data/coco"), help="a data set in COCO's format")
    parser.add_argument("--split", default="val2017", help="of it")
    parser.add_argument("--pictures", type=int, default=4, help="of it")
    parser.add_argument("--repeats", type=int, default=5, help="calls, of which the median counts")
    return parser


if __name__ == "__main__":
    main()
