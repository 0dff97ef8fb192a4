"""Files of weights as MMPose and torchvision publish them: the names and shapes that are in them, and a writer."""

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

Entry = tuple[str, tuple[int, ...]]

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


def _norm(name: str, channels: int) -> Iterator[Entry]:
    yield from ((f"{name}.{part}", (channels,)) for part in ("weight", "bias", "running_mean", "running_var"))
    yield f"{name}.num_batches_tracked", ()


def _conv_norm(name: str, norm: str, channels_in: int, channels: int, kernel: int) -> Iterator[Entry]:
    yield f"{name}.weight", (channels, channels_in, kernel, kernel)
    yield from _norm(norm, channels)


def _block(name: str, channels_in: int, width: int, expansion: int) -> Iterator[Entry]:
    """A bottleneck (expansion 4) or a basic block (expansion 1)."""
    channels, kernels = width * expansion, (1, 3, 1) if expansion > 1 else (3, 3)
    widths = [channels_in, *[width] * (len(kernels) - 1), channels]
    for i, kernel in enumerate(kernels):
        yield from _conv_norm(f"{name}.conv{i + 1}", f"{name}.bn{i + 1}", widths[i], widths[i + 1], kernel)
    if channels_in != channels:
        yield from _conv_norm(f"{name}.downsample.0", f"{name}.downsample.1", channels_in, channels, 1)


def _layer(name: str, channels_in: int, width: int, count: int, expansion: int = 4) -> Iterator[Entry]:
    for i in range(count):
        yield from _block(f"{name}.{i}", channels_in if i == 0 else width * expansion, width, expansion)


def resnet(depth: int) -> Iterator[Entry]:
    """A ResNet without its classifier."""
    yield from _conv_norm("conv1", "bn1", 3, 64, 7)
    for stage, count in enumerate(BLOCKS[depth]):
        yield from _layer(f"layer{stage + 1}", 128 * 2**stage if stage else 64, 64 * 2**stage, count)


def hrnet(width: int, *, whole: bool = False) -> Iterator[Entry]:
    """An HRNet; the last module fuses into the highest resolution only, but for a `whole` one."""
    yield from _conv_norm("conv1", "bn1", 3, 64, 3)
    yield from _conv_norm("conv2", "bn2", 64, 64, 3)
    yield from _layer("layer1", 64, 64, 4)
    before = [256]
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        widths = [width * 2**i for i in range(stage)]
        for i, channels in enumerate(widths):
            name = f"transition{stage - 1}.{i}"
            if i >= len(before):
                yield from _conv_norm(f"{name}.0.0", f"{name}.0.1", before[-1], channels, 3)
            elif before[i] != channels:
                yield from _conv_norm(f"{name}.0", f"{name}.1", before[i], channels, 3)
        for module in range(modules):
            outputs = stage if whole or (stage, module) != (4, 2) else 1
            yield from _module(f"stage{stage}.{module}", widths, outputs)
        before = widths


def _module(name: str, widths: list[int], outputs: int) -> Iterator[Entry]:
    for i, channels in enumerate(widths):
        yield from _layer(f"{name}.branches.{i}", channels, channels, 4, 1)
    for i in range(outputs):
        for j, channels in enumerate(widths):
            fuse = f"{name}.fuse_layers.{i}.{j}"
            if j > i:
                yield from _conv_norm(f"{fuse}.0", f"{fuse}.1", channels, widths[i], 1)
            for step in range(i - j):
                last = step == i - j - 1
                yield from _conv_norm(
                    f"{fuse}.{step}.0", f"{fuse}.{step}.1", channels, widths[i] if last else channels, 3
                )


def _head(channels: int, joints: int, deconvolutions: int) -> Iterator[Entry]:
    for i in range(deconvolutions):
        yield f"deconv_layers.{3 * i}.weight", (channels, 256, 4, 4)
        yield from _norm(f"deconv_layers.{3 * i + 1}", 256)
        channels = 256
    yield from (("final_layer.weight", (joints, channels, 1, 1)), ("final_layer.bias", (joints,)))


def pose_network(kind: str, joints: int, head: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network such as `resnet50` or `hrnet-w32`; `head` is `keypoint_head` before 1.0."""
    if kind.startswith("resnet"):
        trunk, parts = resnet(int(kind.removeprefix("resnet"))), _head(2048, joints, 3)
    else:
        width = int(kind.removeprefix("hrnet-w"))
        trunk, parts = hrnet(width), _head(width, joints, 0)
    return {f"backbone.{name}": shape for name, shape in trunk} | {f"{head}.{name}": shape for name, shape in parts}


def trunk(kind: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a classifier of ImageNet's; that of torchvision is from before batch norms were counted."""
    if kind.startswith("resnet"):
        entries = [*resnet(int(kind.removeprefix("resnet"))), ("fc.weight", (1000, 2048)), ("fc.bias", (1000,))]
        return {name: shape for name, shape in entries if not name.endswith("num_batches_tracked")}
    classifier = [("classifier.weight", (1000, 2048)), ("classifier.bias", (1000,))]
    increase = _layer("incre_modules.0.0", int(kind.removeprefix("hrnet-w")), 32, 1)
    final = [("final_layer.0.weight", (2048, 1024, 1, 1)), *_norm("final_layer.1", 2048)]
    return dict([*hrnet(int(kind.removeprefix("hrnet-w")), whole=True), *increase, *final, *classifier])


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> "OrderedDict[str, np.ndarray]":
    """Weights by dice, with which a network's answer neither fades nor explodes."""
    rng = np.random.default_rng(seed)
    state = OrderedDict()
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = np.array(210, np.int64)
        elif len(shape) > 1:
            fan = np.float32(np.sqrt(2 / np.prod(shape[1:])))
            state[name] = rng.standard_normal(shape, np.float32) * fan
        else:
            state[name] = rng.random(shape, np.float32) + np.float32(0.5 if name.endswith("running_var") else 0)
    return state


class HistoryBuffer:
    """As of MMEngine: the values of a loss, and functions by name."""

    def __init__(self, *values: float) -> None:
        self._log_history, self._count_history = np.array(values), np.ones(len(values))
        self._statistics_methods = OrderedDict(mean=HistoryBuffer.mean)

    def mean(self) -> float:
        return float(self._log_history.mean())


class ConfigDict(dict):
    """As of MMEngine: a dictionary of a class of its own."""


class Hooks(list):
    """A list of a class of its own."""


class Priority(Enum):
    """As of MMEngine."""

    HIGH = 30


class Running:
    """What would run a command if it were built."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


FOREIGN = {
    "mmengine.logging.history_buffer": [HistoryBuffer],
    "mmengine.config.config": [ConfigDict],
    "mmengine.runner.priority": [Hooks, Priority],
}


@contextmanager
def foreign_modules() -> Iterator[None]:
    """A block in which foreign classes can be imported from where a pickle will say that they are."""
    modules = {"mmengine": ModuleType("mmengine")}
    for name, classes in FOREIGN.items():
        modules[name] = ModuleType(name)
        for kind in classes:
            kind.__module__ = name
            setattr(modules[name], kind.__name__, kind)
    with mock.patch.dict(sys.modules, modules):
        yield


def checkpoint(state: Mapping[str, Any], head: str, command: str = "true") -> dict[str, Any]:
    """A file's content as MMPose of 1.0 (`head`) or before it (`keypoint_head`) writes it.

    It has foreign objects of every form that a pickle can have; one would run `command`.
    """
    meta = {
        "epoch": 210,
        "time": datetime(2022, 9, 9, tzinfo=timezone.utc),
        "cfg": "model = dict(type='TopdownPoseEstimator')",
        "config": ConfigDict(type="AdamW", betas=(0.9, 0.999), nested=ConfigDict(lr=[5e-4])),
        "hooks": Hooks(["a", Priority.HIGH]),
        "dataset_meta": {
            "keypoint_id2name": {0: "nose", 1: "left_eye"},
            "skeleton_link_colors": np.array([[0, 255, 0]]),
            "upper": {"nose"},
            "by pair": defaultdict(list, {("left_eye", "right_eye"): [1, 2], None: [0], 2**70: [], 0.5: []}),
            "kinds": {dict, HistoryBuffer},
        },
        "started": Running(command),
        "classes": frozenset({"person"}),
        "last": deque([1.0, 2.0], maxlen=5),
        "places": (Path("work_dirs/a"), range(3), slice(1, 2), 1 + 2j, bytearray(b"x"), Ellipsis, Decimal("0.5")),
    }
    if head == "keypoint_head":
        return {"meta": meta, "state_dict": state}
    optimizer = {
        "state": {i: {"step": 3, "exp_avg": value} for i, value in enumerate(list(state.values())[:2])},
        "param_groups": [{"lr": 5e-4, "params": [0, 1], "hook": HistoryBuffer.mean}],
    }
    hub = {"log_scalars": OrderedDict({"train/loss": HistoryBuffer(0.5, 0.25)}), "runtime_info": OrderedDict(epoch=210)}
    return {"meta": meta, "state_dict": state, "message_hub": hub, "optimizer": optimizer}


class _Storage:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class _Tensor:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        arguments = _Storage(self.array), 0, self.array.shape, strides, False, OrderedDict()
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


class _Pickler(pickle.Pickler):
    """Pickles as torch does: storages are named, and kept for later."""

    def __init__(self, file: Any, *, old: bool) -> None:
        super().__init__(file, 2)
        self.old, self.arrays = old, {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Storage):
            return None
        key = self.arrays.setdefault(id(value.array), (str(len(self.arrays)), value.array))[0]
        kind = getattr(sys.modules["torch"], {"f": "FloatStorage", "i": "LongStorage"}[value.array.dtype.kind])
        return ("storage", kind, key, "cpu", value.array.size, *[None] * self.old)


def _torch_modules() -> dict[str, ModuleType]:
    """What torch's pickles name, to be imported where there is no torch."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    torch.FloatStorage, torch.LongStorage = (
        type(f"{kind}Storage", (), {"__module__": "torch"}) for kind in ("Float", "Long")
    )

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    return {"torch": torch, "torch._utils": utils}


def save(
    state: Mapping[str, np.ndarray], path: Path, *, head: str = "head", old: bool = True, command: str = "true"
) -> None:
    """Write weights as MMPose does, in torch's format from before 1.6 or that of today."""
    tensors = OrderedDict((name, _Tensor(array)) for name, array in state.items())
    packed = io.BytesIO()
    with foreign_modules(), mock.patch.dict(sys.modules, _torch_modules()):
        pickler = _Pickler(packed, old=old)
        pickler.dump(checkpoint(tensors, head, command) if head else tensors)
    arrays = dict(pickler.arrays.values())
    if not old:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", packed.getvalue())
            archive.writestr("archive/version", "3\n")
            for key, array in arrays.items():
                archive.writestr(f"archive/data/{key}", array.tobytes())
        return
    with path.open("wb") as file:
        for value in (MAGIC, VERSION, {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"int": 4}}):
            pickle.dump(value, file, 2)
        file.write(packed.getvalue())
        pickle.dump(sorted(arrays), file, 2)
        for key in sorted(arrays):
            file.write(struct.pack("<q", arrays[key].size))
            file.write(arrays[key].tobytes())
