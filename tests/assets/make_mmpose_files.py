"""Writes small files beside it as MMPose does; run by hand, with a torch: the tests read them without one."""

import sys
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from mmpose_files import checkpoint, foreign_modules  # noqa: E402  after the path

SHAPES = {"backbone.conv1.weight": (2, 3, 1, 1), "backbone.bn1.running_var": (2,), "{}.final_layer.bias": (3,)}

if __name__ == "__main__":
    for name, head in (("mmpose.pth", "head"), ("mmpose_0x.pth", "keypoint_head")):
        state = OrderedDict((key.format(head), torch.ones(shape)) for key, shape in SHAPES.items())
        state["backbone.bn1.num_batches_tracked"] = torch.tensor(7)
        with foreign_modules():
            content = checkpoint(state, head, "touch it_was_run")
            torch.save(content, HERE / name)
            torch.save(content, HERE / f"old_{name}", _use_new_zipfile_serialization=False)
