"""Draw poses on pictures with a network that was trained here: `paddlepose infer --cfg ... --img-file FILE`."""

from collections.abc import Sequence
from pathlib import Path

from paddlepose.commands import _options, _pictures
from paddlepose.engine.evaluate import as_network


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("infer", "Find the poses of the people in pictures and videos.")
    parser.add_argument("--model-file", type=Path, help="weights; else TEST.MODEL_FILE, else the last training's")
    parser.add_argument("--post-process", action="store_true", help="refine maxima by a quarter of a pixel")
    parser.add_argument("--shift-heatmap", action="store_true", help="align mirrored heatmaps by one pixel")
    _pictures.add_arguments(parser)
    arguments = parser.parse_intermixed_args(argv)
    _pictures.prepare(arguments)
    job = _options.job(arguments)
    job.choose_device()
    predictor = job.predictor(as_network(job.trained_network(arguments.model_file)))
    if job.card.kind == "top_down":
        predictor.flip_test = arguments.flip_test  # as in `deploy`, whatever the YAML file says
    return _pictures.run(predictor, arguments)
