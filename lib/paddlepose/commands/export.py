"""Write a trained network to ONNX: `paddlepose export --cfg experiments/...yaml [--model-file FILE] [--out FILE]`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paddlepose.commands import _options
from paddlepose.core.files import remove_leftovers_of
from paddlepose.core.finder import fitted_input
from paddlepose.core.image import read_record
from paddlepose.core.predict import whole_inputs
from paddlepose.engine.job import Job
from paddlepose.export import export

_REAL_INPUTS = {
    "top_down": 4,
    "bottom_up": 2,
    "detector": 2,
}  # people or pictures of the test split that the file is checked on


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("export", "Write a trained network to one ONNX file that says how to use it.")
    parser.add_argument("--model-file", type=Path, help="weights; else TEST.MODEL_FILE, else the last training's")
    parser.add_argument("--out", type=Path, default=Path("output/onnx/posenet.onnx"), help="file to write")
    parser.add_argument("--frequent", type=int, help="taken as the other commands take it; nothing is printed here")
    parser.add_argument(
        "--portable", action="store_true", help="for runtimes without ONNX's DeformConv; bottom-up only"
    )
    arguments = parser.parse_intermixed_args(argv)
    if arguments.out.suffix != ".onnx":
        raise ValueError(f"--out {arguments.out}: expected a name that ends in .onnx")
    job = _options.job(arguments)
    _options.check_out(arguments.out, arguments.cfg, arguments.model_file, job.config.test.model_file)
    remove_leftovers_of(arguments.out)
    job.choose_device()
    if arguments.portable and job.card.kind != "bottom_up":
        raise ValueError(f"--portable is for bottom-up networks: {job.title} has no deformable convolutions")
    model = job.trained_network(arguments.model_file)
    source = {"experiment": job.name, "weights": str(job.weights_file(arguments.model_file))}
    card = replace(job.card, source=source)
    print("=> Converting...")
    how = {"portable": arguments.portable, "rescorer": job.rescorer} if card.kind == "bottom_up" else {}
    difference = export(model, card, arguments.out, real=_real_inputs(job), **how)
    print(f"=> Checked in onnxruntime: largest difference {difference:.1e} of the output's scale")
    print(f"=> Model saved as: {arguments.out}")
    print("=> Done.")
    return 0


def _real_inputs(job: Job) -> list[NDArray[np.float32]]:
    """The network's input for a little of the test split, or none where the data are not here."""
    kind, most = job.card.kind, _REAL_INPUTS[job.card.kind]
    try:
        found = job.loader(train=False).samples if kind == "top_down" else job.pictures()
    except (OSError, ValueError):
        print("=> No pictures of the test split here: the file is checked on random input alone")
        return []
    if kind == "bottom_up":
        return [whole_inputs([read_record(record)], job.card) for record in found[:most]]
    if kind == "detector":
        return [fitted_input(read_record(record), job.card)[0][None] for record in found[:most]]
    return [np.stack([found[i]["image"] for i in range(min(most, len(found)))])]
