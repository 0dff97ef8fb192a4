"""Times of one training step and one forward pass of a network at 256x192 in plain PyTorch: `paddle_step.py`'s twin.

It needs PyTorch and nothing else, so that an interpreter without Paddle can run it.
"""

from __future__ import annotations

import argparse

import torch
from families import HEATMAP_SIZE, INPUT_SIZE, JOINTS
from timing import medians
from torch import Tensor
from torch_networks import NETWORKS, build, count_parameters


def main() -> None:
    """Print the network's size and the two medians, in the words of `paddle_step.py`."""
    arguments = _parser().parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, seconds in measure(arguments.network, arguments.batch, arguments.repeats).items():
        print(f"{name}: {seconds:.4f} s")


def measure(name: str, batch_size: int, repeats: int) -> dict[str, float]:
    """Median seconds of a step with Adam, and of a forward pass from arrays to arrays."""
    network = build(name)
    print(f"parameters: {count_parameters(network)}")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    image = torch.randn(batch_size, 3, *INPUT_SIZE[::-1])
    target = torch.rand(batch_size, JOINTS, *HEATMAP_SIZE[::-1])
    weight = torch.ones(batch_size, JOINTS, 1, 1)

    def step(turn: int) -> None:
        del turn
        total = loss(network(image), target, weight)
        total.item()
        total.backward()
        optimizer.step()
        optimizer.zero_grad()

    @torch.no_grad()
    def forward(turn: int) -> None:
        del turn
        for output in network(torch.from_numpy(images)):
            output.numpy()

    trained = medians({"train step": step}, repeats)
    network.eval()
    images = image.numpy()
    return trained | medians({"forward": forward}, repeats)


def loss(outputs: list[Tensor], target: Tensor, weight: Tensor) -> Tensor:
    """Half the mean squared difference of heatmaps, scaled by the joints' weights, summed over the outputs."""
    return sum(0.5 * ((output - target) * weight).square().mean() for output in outputs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="pose_resnet_50", choices=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    return parser


if __name__ == "__main__":
    main()
