"""Writes a small hourglass's weights beside it as torch does; run by hand, with a torch: tests read them without."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch

HERE = Path(__file__).parent
WIDTH, JOINTS = 8, 16


def conv(name: str, channels_in: int, channels_out: int, kernel: int = 1) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (channels_out, channels_in, kernel, kernel)
    yield f"{name}.bias", (channels_out,)


def norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((f"{name}.{part}", (channels,)) for part in ("weight", "bias", "running_mean", "running_var"))
    yield f"{name}.num_batches_tracked", ()


def block(name: str, channels_in: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from norm(f"{name}.bn1", channels_in)
    yield from conv(f"{name}.conv1", channels_in, width)
    yield from norm(f"{name}.bn2", width)
    yield from conv(f"{name}.conv2", width, width, 3)
    yield from norm(f"{name}.bn3", width)
    yield from conv(f"{name}.conv3", width, 2 * width)
    if channels_in != 2 * width:
        yield from conv(f"{name}.downsample.0", channels_in, 2 * width)


def entries() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of one stack, in the order of the published checkpoints."""
    yield from conv("conv1", 3, WIDTH // 4, 7)
    yield from norm("bn1", WIDTH // 4)
    yield from block("layer1.0", WIDTH // 4, WIDTH // 4)
    yield from block("layer2.0", WIDTH // 2, WIDTH // 2)
    yield from block("layer3.0", WIDTH, WIDTH // 2)
    for level in range(4):
        for branch in range(4 if level == 0 else 3):
            yield from block(f"hg.0.hg.{level}.{branch}.0", WIDTH, WIDTH // 2)
    yield from block("res.0.0", WIDTH, WIDTH // 2)
    yield from conv("fc.0.0", WIDTH, WIDTH)
    yield from norm("fc.0.1", WIDTH)
    yield from conv("score.0", WIDTH, JOINTS)


def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    return torch.rand(shape) + 0.5 if name.endswith("running_var") else 0.3 * torch.randn(shape)


if __name__ == "__main__":
    torch.manual_seed(0)
    state = OrderedDict((name, value(name, shape)) for name, shape in entries())
    torch.save(state, HERE / "hourglass_zip.pth")
    wrapped = OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())
    content = {"epoch": 3, "model": "hourglass", "state_dict": wrapped, "perf": 0.5, "optimizer": {"state": {}}}
    torch.save(content, HERE / "hourglass_old.pth.tar", _use_new_zipfile_serialization=False)
