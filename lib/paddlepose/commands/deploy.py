"""`paddlepose deploy`: poses by an exported network, without Paddle."""

import logging
from pathlib import Path

from paddlepose.commands import _pictures
from paddlepose.commands._parser import Parser

_LOG = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Exit code after the poses of all pictures and videos are written.

    Raises FileNotFoundError: no model, picture or file of boxes of that name; ValueError: the model or the boxes cannot
    be used.
    """
    parser = Parser("deploy", __doc__)
    model_help = "file that `paddlepose export` wrote, or a name that `paddlepose models` lists (%(default)s)"
    parser.add_argument("--model", type=Path, default=Path("person17"), help=model_help)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what runs the network (%(default)s)")
    parser.add_argument("--threads", type=int, help="of the CPU that one layer may use (onnxruntime decides)")
    parser.add_argument("--type", choices=("ONNX",), default="ONNX", help="the model's format (%(default)s)")
    parser.add_argument("--width", type=int, help="checked only: the model knows its size")
    parser.add_argument("--height", type=int, help="checked only: the model knows its size")
    _pictures.add_arguments(parser)
    options = parser.parse_args(argv)
    _pictures.prepare(options)
    how = {"device": options.device, "threads": options.threads}
    predictor = _pictures.load(options.model, options, **how)
    size = predictor.card.input_size
    width, height = options.width or size[0], options.height or size[1]
    if (width, height) != size:
        unused = f"--width {width} --height {height} are not used"
        _LOG.warning("%s: the network takes the size at which it was trained, %d x %d pixels", unused, *size)
    return _pictures.run(predictor, options, **how)
