"""Every different top-down network, exported: how far onnxruntime's answers are from Paddle's, and its speed.

Crops of real people go through both, one and three at a time: the largest difference of heatmaps, as a share of their
largest value, and the largest distance of a joint, in pixels of the crop. Times are those of a single crop.

New weights (normal, 0.001) give maps so flat that any error decides where their maximum is, so others are drawn that
let a signal through: convolutions as He et al. draw them; batch norms and biases at random too, so that none can be
left out unseen; and as running statistics those of the crops themselves, which training would leave. What is added to
a shortcut, and attention, which both start at zero or little, are drawn small: else 150 layers of random weights make
of rounding errors anything. The maps then have clear peaks, though of no joint.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn
from timing import medians, table, table_row, warn_of_load

from paddlepose import codecs, plugins
from paddlepose.config import load_config
from paddlepose.core.geometry import Region, crop_matrix
from paddlepose.core.image import read_picture, to_input, warp
from paddlepose.core.predict import Network
from paddlepose.core.types import Card
from paddlepose.datasets import Source, coco
from paddlepose.engine.evaluate import as_network
from paddlepose.experiment import Config
from paddlepose.export import export
from paddlepose.models import build_network
from paddlepose.models._lightweight import GlobalContext
from paddlepose.runtime import OrtNetwork

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
TITLES = ["", "maps, 1 crop", "maps, 3 crops", "joints, px", "Paddle, ms", "onnxruntime, ms", "ratio", "file, MB"]

Arrays = NDArray[np.float32]


def main() -> None:
    """Print a Markdown table, one row a network as soon as it is measured."""
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    warn_of_load()
    paths = arguments.experiments or sorted(EXPERIMENTS.rglob("*.yaml"), key=_place)
    print(table(TITLES, []))
    for path, config in different(paths):
        name = "/".join(path.with_suffix("").parts[-3:])
        print(table_row([name, *row(config, arguments)]), flush=True)


def _place(path: Path) -> tuple[bool, Path]:
    """Where an experiment comes in the table: students, whose networks others have too, at the end."""
    return path.parent.parent.name.startswith("fpd_"), path


def different(paths: Sequence[Path]) -> Iterator[tuple[Path, Config]]:
    """Experiments and their configurations, of those with the same network and use of it only the first."""
    known = set()
    for path in paths:
        config = load_config(path)
        if config.kind == "bottom_up":  # everybody.py has those
            continue
        key = f"{config.model.name} {config.arguments('model')} {config.codec_settings()} {config.dataset.dataset}"
        if key not in known:
            known.add(key)
            yield path, config


def row(config: Config, arguments: argparse.Namespace) -> list[str]:
    """One network's figures, in the order of `TITLES`."""
    card = config.card(plugins.find("datasets", config.dataset.dataset).skeleton(config.source(train=False)))
    images = crops(arguments.root, arguments.split, card, arguments.crops)
    model = build_network(config, len(card.skeleton.joints))
    draw_weights(model, images)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "posenet.onnx")
        export(model, card, file)
        megabytes = file.stat().st_size / 1e6
        ours, exported = as_network(model), OrtNetwork(file, threads=arguments.threads)
    ours_by_3, exported_by_3 = (answers(network, images, 3) for network in (ours, exported))
    maps, exported_maps = (answers(network, images, 1) for network in (ours, exported))
    seconds = medians(
        {"Paddle": lambda turn: ours(_one(images, turn)), "onnxruntime": lambda turn: exported(_one(images, turn))},
        arguments.repeats,
    )
    codec = codecs.build(card.codec)
    joints, exported_joints = codec.decode(maps)[0], codec.decode(exported_maps)[0]
    return [
        f"{difference(maps, exported_maps):.1e}",
        f"{difference(ours_by_3, exported_by_3):.1e}",
        f"{np.linalg.norm(joints - exported_joints, axis=-1).max():.2g}",
        *(f"{value * 1000:.1f}" for value in seconds.values()),
        f"{seconds['onnxruntime'] / seconds['Paddle']:.2f}",
        f"{megabytes:.1f}",
    ]


def difference(maps: Arrays, others: Arrays) -> float:
    """The largest difference of two answers (B, K, h, w), as a share of the first one's largest value."""
    return float(np.abs(maps - others).max() / np.abs(maps).max())


def crops(root: Path, split: str, card: Card, count: int) -> Arrays:
    """The first `count` people of a data set in COCO's format as the network takes them: (count, 3, H, W)."""
    width, height = card.input_size
    records = coco.records(Source(root, split, width / height))
    people = [(record.path, person.region) for record in records for person in record.people]
    return np.stack([_crop(path, region, card) for path, region in people[:count]])


def _crop(path: Path, region: Region, card: Card) -> Arrays:
    return to_input(warp(read_picture(path), crop_matrix(region, card.input_size), card.input_size), card)


@paddle.no_grad()
def draw_weights(model: nn.Layer, images: Arrays) -> None:
    """Give a network weights under which its maps of `images` have clear peaks."""
    paddle.seed(0)
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            _initializer(name, parameter)(parameter)
    for layer in model.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer._momentum = 0.0  # the running statistics become those of the next batch
        elif isinstance(layer, GlobalContext):
            for conv in layer.sublayers():
                if isinstance(conv, nn.Conv2D):
                    conv.weight.scale_(0.1)
    model.train()
    model(paddle.to_tensor(images))


def _initializer(name: str, parameter: paddle.Tensor) -> nn.initializer.Initializer:
    """How a parameter is drawn; in residual blocks the second or third batch norm is the last before the sum."""
    if name.endswith("bias"):
        return nn.initializer.Normal(0, 0.1)
    if parameter.ndim in (2, 4):
        return nn.initializer.KaimingNormal()
    return nn.initializer.Uniform(*((0.1, 0.3) if name.endswith(("bn2.weight", "bn3.weight")) else (0.5, 1.5)))


def answers(network: Network, images: Arrays, size: int) -> Arrays:
    """A network's heatmaps (B, K, h, w) of images (B, 3, H, W) that it is given in batches of `size`."""
    return np.concatenate([network(images[start : start + size])[-1] for start in range(0, len(images), size)])


def _one(images: Arrays, turn: int) -> Arrays:
    return images[[turn % len(images)]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", type=Path, nargs="*", help="YAML files; else all that there are")
    parser.add_argument("--root", type=Path, default=Path("data/coco"), help="a data set in COCO's format")
    parser.add_argument("--split", default="val2017", help="of it")
    parser.add_argument("--crops", type=int, default=20, help="people of it")
    parser.add_argument("--repeats", type=int, default=20, help="calls, of which the median counts")
    parser.add_argument("--threads", type=int, help="of onnxruntime, which else takes all cores")
    return parser


if __name__ == "__main__":
    main()
