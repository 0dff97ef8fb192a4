"""Times of one training step and one forward pass of a network at 256x192: what `training_step.py` runs in turns."""

from __future__ import annotations

import argparse
import os
import warnings

from families import HEATMAP_SIZE, INPUT_SIZE, JOINTS, MODELS
from timing import medians


def main() -> None:
    """Print the network's size and the two medians, in the words of `torch_step.py`."""
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    environment = set(os.environ)
    from paddlepose import cpu  # the package sets what Paddle reads when it is imported

    if arguments.default_settings:
        for name in set(os.environ) - environment:
            del os.environ[name]
    else:
        cpu.keep_freed_memory()
    print(cpu.describe())
    for name, seconds in measure(arguments.network, arguments.batch, arguments.repeats).items():
        print(f"{name}: {seconds:.4f} s")


def measure(name: str, batch_size: int, repeats: int) -> dict[str, float]:
    """Median seconds of a step as `paddlepose train` takes it, and of a forward pass as `paddlepose valid` does."""
    import paddle
    from subject import experiment

    from paddlepose.engine import optim
    from paddlepose.engine.evaluate import as_network
    from paddlepose.engine.train import Step
    from paddlepose.losses import Heatmap
    from paddlepose.models import build_network

    config = experiment(name)
    model = build_network(config, JOINTS)
    model.init_weights()
    print(f"parameters: {sum(p.size for p in model.parameters() if not p.stop_gradient)}")
    step = Step(model, Heatmap(use_weight=config.loss.use_target_weight), optim.build(config.train, model))
    batch = {
        "image": paddle.randn([batch_size, 3, *INPUT_SIZE[::-1]]),
        "target": paddle.rand([batch_size, JOINTS, *HEATMAP_SIZE[::-1]]),
        "weight": paddle.ones([batch_size, JOINTS, 1]),
    }
    images = batch["image"].numpy()
    trained = medians({"train step": lambda turn: step(batch, turn, last=False)}, repeats)
    network = as_network(model)
    return trained | medians({"forward": lambda _: network(images)}, repeats)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="pose_resnet_50", choices=list(MODELS))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--default-settings", action="store_true", help="Paddle as it comes: undo what the package sets for it"
    )
    return parser


if __name__ == "__main__":
    main()
