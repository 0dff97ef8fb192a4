"""Write `mmpose.pth` with torch: the names, the format and the foreign objects of MMPose's published files.

usage: python make_mmpose_file.py, with torch
"""

import sys
import types
from pathlib import Path

import torch


def foreign(module: str, name: str) -> type:
    """A class that whoever reads the file does not have."""
    found = type(name, (), {"__module__": module})
    parts = module.split(".")
    for i in range(len(parts)):
        sys.modules.setdefault(".".join(parts[: i + 1]), types.ModuleType(parts[i]))
    setattr(sys.modules[module], name, found)
    return found


history = foreign("mmengine.logging.history_buffer", "HistoryBuffer")()
history.__dict__.update(_max_length=1000000, _log_history=torch.zeros(2).numpy())
hub = foreign("mmengine.logging.message_hub", "MessageHub")()
hub.__dict__.update(_log_scalars={"train/loss": history})
state = {
    "backbone.conv1.weight": torch.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2),
    "backbone.bn1.running_mean": torch.tensor([1.0, 2.0]),
    "backbone.bn1.num_batches_tracked": torch.tensor(7),
    "head.deconv_layers.0.weight": torch.arange(2 * 2 * 2 * 2.0).reshape(2, 2, 2, 2),
    "head.final_layer.bias": torch.tensor([0.5, -0.5]),
}
content = {"meta": {"mmengine_version": "0.3.1", "hub": hub}, "state_dict": state, "message_hub": hub}
path = Path(__file__).with_name("mmpose.pth")
torch.save(content, path, _use_new_zipfile_serialization=False)
