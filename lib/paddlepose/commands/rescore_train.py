"""Train a rescoring network: `paddlepose rescore_train --cfg experiments/coco/rescore_coco.yaml`."""

from collections.abc import Sequence

import numpy as np
import paddle

from paddlepose.commands import _options
from paddlepose.core.files import remove_leftovers_of
from paddlepose.engine import rescoring, weights
from paddlepose.metrics.matches import Matches


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("rescore_train", "Train on RESCORE.DATA_FILE the network that changes poses' scores.")
    job = _options.job(parser.parse_intermixed_args(argv))
    options = job.config.rescore
    if options.model_file is None or options.model_file.suffix != ".pdparams":
        raise ValueError(f"RESCORE.MODEL_FILE {options.model_file}: name the .pdparams file to write")
    job.choose_device()
    paddle.seed(job.config.seed)
    matches = Matches.load(options.data_file, job.skeleton)
    model = rescoring.network(job.skeleton, options.hidden_layer)
    losses = rescoring.train(model, matches, job.skeleton, options, np.random.default_rng(job.config.seed))
    for epoch, loss in enumerate(losses):
        print(f"Epoch: [{epoch}/{options.end_epoch}]\tLoss {loss:.6f}", flush=True)
    remove_leftovers_of(options.model_file)
    weights.save(model.state_dict(), options.model_file)
    print(f"=> Saved as: {options.model_file}")
    return 0
