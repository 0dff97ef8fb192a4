"""Writes the files beside it as torch does; run by hand, with a torch: the tests read them without one.

Every number says where it stands, so that `tests/engine/test_torch_file.py` can tell what a file has to hold.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent


def numbers(tensor: torch.Tensor, start: int) -> torch.Tensor:
    """`start`, `start` + 1 and so on, in the order in which the tensor is written."""
    return torch.arange(start, start + tensor.numel()).reshape(tensor.shape).to(tensor.dtype)


def module() -> nn.Module:
    """A little network whose weights begin at 0, at 100, at 200 and so on."""
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ConvTranspose2d(2, 3, 2), nn.Linear(4, 2)
    )
    network.load_state_dict({k: numbers(v, 100 * i) for i, (k, v) in enumerate(network.state_dict().items())})
    return network


def checkpoint() -> dict:
    """The network as training leaves it: wrapped, and with the state of Adam after a step."""
    network = module()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for i, state in enumerate(optimizer.state.values()):
        state["exp_avg"].copy_(numbers(state["exp_avg"], 1000 * i))
    return {
        "epoch": 7,
        "state_dict": {f"module.{key}": value for key, value in module().state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "perf": np.float64(0.75),
    }


def kinds() -> dict:
    """Tensors of each type, and those that are not simply what is stored."""
    line = torch.arange(24.0)
    return {
        **{name: torch.arange(5).to(getattr(torch, name)) for name in "int64 int32 int16 int8 uint8".split()},
        **{name: torch.arange(5).to(getattr(torch, name)) / 4 for name in "float64 float16 bfloat16".split()},
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(3),
        "scalar bfloat16": torch.tensor(1.5).bfloat16(),
        "empty": torch.zeros(0, 3),
        "shared": line,
        "transposed": line.view(4, 6).t(),
        "every fourth": line[3:20:4],
        "expanded": torch.tensor([[2.0]]).expand(3, 4),
        "parameter": nn.Parameter(torch.arange(3.0)),
        "transposed bfloat16": torch.arange(6).bfloat16().view(2, 3).t(),
        "others": (torch.Size([2, 3]), torch.device("cpu"), torch.float32, None, [1, 2.5]),
    }


if __name__ == "__main__":
    contents = {"state.pth": module().state_dict(), "checkpoint.pth.tar": checkpoint(), "kinds.pth": kinds()}
    for name, content in contents.items():
        torch.save(content, HERE / name)
        torch.save(content, HERE / f"old_{name}", _use_new_zipfile_serialization=False)
