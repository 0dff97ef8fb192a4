"""`paddlepose deploy`: poses by an exported network, without Paddle."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from paddlepose import runtime
from paddlepose.commands import _pictures

_LOG = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Exit code after the poses of all pictures and videos are written.

    Raises:
        FileNotFoundError: no model, picture or file of boxes of that name.
        ValueError: the model or the boxes cannot be used.
    """
    arguments = _parser().parse_args(argv)
    predictor = runtime.load(
        arguments.model, flip_test=arguments.flip_test, device=arguments.device, threads=arguments.threads
    )
    _check_size(arguments.width, arguments.height, predictor.card.input_size)
    return _pictures.run(predictor, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("paddlepose deploy", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="file that `paddlepose export` wrote")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what runs the network (%(default)s)")
    parser.add_argument("--threads", type=int, help="of the CPU that one layer may use (onnxruntime decides)")
    parser.add_argument("--type", choices=("ONNX",), default="ONNX", help="the model's format (%(default)s)")
    parser.add_argument("--width", type=int, help="checked only: the model knows its size")
    parser.add_argument("--height", type=int, help="checked only: the model knows its size")
    _pictures.add_arguments(parser)
    return parser


def _check_size(width: int | None, height: int | None, input_size: tuple[int, int]) -> None:
    """Warn of a size that is not the network's (width, height)."""
    asked = width or input_size[0], height or input_size[1]
    if asked != input_size:
        _LOG.warning(
            "--width %d --height %d are not used: people are cropped to %d x %d pixels, as the network was trained",
            *asked,
            *input_size,
        )
