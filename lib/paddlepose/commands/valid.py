"""Measure a network on the test split: `paddlepose valid --cfg experiments/...yaml [--model-file FILE]`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paddlepose.commands import _options
from paddlepose.core.types import Card
from paddlepose.engine.evaluate import as_network
from paddlepose.engine.report import Watch
from paddlepose.runtime import OrtNetwork


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("valid", "Measure a network on the test split.")
    parser.add_argument("--model-file", type=Path, help="weights or .onnx; else the last training's")
    _options.add_loop_options(parser)
    parser.add_argument("--use-detect-bbox", action="store_true", help="boxes from the detections file, not the labels")
    parser.add_argument("--coco-bbox-file", type=Path, help="the detections file")
    _options.add_test_switches(parser)
    arguments = parser.parse_intermixed_args(argv)
    job = _options.job(arguments)
    job.start("valid")
    path = arguments.model_file or job.config.test.model_file
    if path and path.suffix == ".onnx":
        network = OrtNetwork(path)
        for (name, own), (_, asked) in zip(_facts(network.card), _facts(job.card), strict=False):
            if own != asked:
                raise ValueError(f"{path}: its card's {name} is {own}, but the configuration asks for {asked}")
    else:
        network = as_network(job.trained_network(path))
    job.measure(network, Watch(job.config), rescore=True)
    return 0


def _facts(card: Card) -> Iterator[tuple[str, Any]]:
    """What a network is measured by of its card, with names; limbs are only drawn, sigmas the labels' own."""
    for name in ("kind", "input_size", "rgb", "mean", "std", "heatmap_size", "bg_weight"):
        yield name, getattr(card, name, card.codec.get(name))
    joints = card.skeleton.joints
    yield "number of joints", len(joints)
    yield from ((f"joint {i}", joint) for i, joint in enumerate(joints))
    for joint, other in zip(joints, card.skeleton.flip_order, strict=True):
        yield f"mirror image of {joint}", joints[other]
