"""Write a trained network to ONNX: `paddlepose export --cfg experiments/...yaml [--model-file FILE] [--out FILE]`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paddlepose.commands import _options
from paddlepose.engine.job import Job
from paddlepose.export import export

_REAL_INPUTS = 4  # pictures of the test split that the file is checked on


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("Write a trained network to one ONNX file that says how to use it.")
    parser.add_argument("--model-file", type=Path, help="weights; else TEST.MODEL_FILE, else the last training's")
    parser.add_argument("--out", type=Path, default=Path("output/onnx/posenet.onnx"), help="file to write")
    parser.add_argument("--frequent", type=int, help="taken as the other commands take it; nothing is printed here")
    parser.add_argument(
        "--portable", action="store_true", help="for runtimes without ONNX's DeformConv; bottom-up only"
    )
    arguments = parser.parse_intermixed_args(argv)
    job = _options.job(arguments)
    job.choose_device()
    model = job.trained_network(arguments.model_file)
    weights = arguments.model_file or job.config.test.model_file or "final_state"
    card = replace(job.card, source={"experiment": job.name, "weights": str(weights)})
    print("=> Converting...")
    if card.kind == "bottom_up":
        difference = export(model, card, arguments.out, portable=arguments.portable, rescorer=job.rescorer)
    else:
        difference = export(model, card, arguments.out, pictures=_real_inputs(job))
    print(f"=> Checked in onnxruntime: largest difference {difference:.1e} of the output's scale")
    print(f"=> Model saved as: {arguments.out}")
    print("=> Done.")
    return 0


def _real_inputs(job: Job) -> NDArray[np.float32] | None:
    """A few crops of the test split, or none where the data are not here."""
    try:
        samples = job.loader(train=False).samples
    except (OSError, ValueError):
        return None
    return np.stack([samples[i]["image"] for i in range(min(_REAL_INPUTS, len(samples)))])
