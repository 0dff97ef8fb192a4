"""Times of one training step and one forward pass of PoseResNet-50 256x192: what `training_step.py` runs in turns."""

from __future__ import annotations

import argparse
import os
import warnings

from timing import medians


def main() -> None:
    """Print the two medians, in the words of the PyTorch yardstick."""
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    environment = set(os.environ)
    from paddlepose import cpu  # the package sets what Paddle reads when it is imported

    if arguments.default_settings:
        for name in set(os.environ) - environment:
            del os.environ[name]
    else:
        cpu.keep_freed_memory()
    seconds = measure(arguments.batch, arguments.repeats)
    print(cpu.describe())
    for name in ("train step", "forward"):
        print(f"{name}: {seconds[name]:.4f} s")


def measure(batch_size: int, repeats: int) -> dict[str, float]:
    """Median seconds of a step as `paddlepose train` takes it, and of a forward pass as `paddlepose valid` does."""
    import paddle
    from subject import experiment

    from paddlepose.engine import optim
    from paddlepose.engine.evaluate import as_network
    from paddlepose.engine.train import Step
    from paddlepose.losses import Heatmap
    from paddlepose.models import build_network

    config = experiment()
    (width, height), (map_width, map_height) = config.model.image_size, config.model.heatmap_size
    model = build_network(config, 17)
    model.init_weights()
    step = Step(model, Heatmap(use_weight=config.loss.use_target_weight), optim.build(config.train, model))
    batch = {
        "image": paddle.randn([batch_size, 3, height, width]),
        "target": paddle.rand([batch_size, 17, map_height, map_width]),
        "weight": paddle.ones([batch_size, 17, 1]),
    }
    images = batch["image"].numpy()
    trained = medians({"train step": lambda turn: step(batch, turn, last=False)}, repeats)
    network = as_network(model)
    return trained | medians({"forward": lambda _: network(images)}, repeats)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--default-settings", action="store_true", help="Paddle as it comes: undo what the package sets for it"
    )
    return parser


if __name__ == "__main__":
    main()
