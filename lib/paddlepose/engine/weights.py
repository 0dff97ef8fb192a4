"""Weights in files: reading them into a network, and the checkpoints of a run."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from paddlepose.core.files import entry, visible, written_beside
from paddlepose.core.types import Card
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.torch_file import is_torch, read_torch

_LOG = logging.getLogger(__name__)
_SHOWN = 10  # keys of each kind that a message lists

_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}  # PyTorch's names and Paddle's
# What wrappers for several GPUs, the first Simple Baselines in Paddle, and MMPose put before names.
_MMPOSE = r"(?:keypoint_)?head\.(?=final_layer\.|deconv_layers\.)"
_PREFIX = re.compile(rf"^(module\.)?(backbone\.|{_MMPOSE})?")

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Report:
    """What became of a file's weights: keys of the network that were loaded or missing, and keys left over."""

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Every weight of the network was loaded and every weight of the file used."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        """Counts and, of what does not fit, the first keys."""
        lines = [f"{len(self.loaded)} weights loaded"]
        for title in ("missing", "unexpected", "mismatched"):
            keys = getattr(self, title)
            more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            lines += [f"{len(keys)} {title}: {', '.join(keys[:_SHOWN])}{more}"] if keys else []
        return visible("; ".join(lines))


def load(model: nn.Layer, path: Path, *, strict: bool = True, card: Card | None = None) -> Report:
    """Put a file's weights into a network, which is used as `card` says; a card in the file should say the same.

    Args:
        model: whose weights change.
        path: a file of weights or a checkpoint, of Paddle or PyTorch.
        strict: refuse a file whose keys and shapes are not exactly the network's; nothing is changed then.
        card: of the network; the log warns where the file's own card has other colours or another size.

    Raises FileNotFoundError: no such file; ValueError: the file cannot be read, holds no weight of this network, or
    is refused.
    """
    state, own, rgb = read(path)
    said = {"DATASET.COLOR_RGB": rgb, "MODEL.IMAGE_SIZE": own.input_size if own else None}
    asked = {"DATASET.COLOR_RGB": card.rgb, "MODEL.IMAGE_SIZE": card.input_size} if card else {}
    for key, value in asked.items():
        if said[key] not in (None, value):
            trained = f"{path}: trained with {key} {said[key]}, the configuration has {value}"
            _LOG.warning("%s: the figures will not be those of its training", trained)
    return put(model, state, path, strict=strict)


def read(path: Path) -> tuple[State, Card | None, bool | None]:
    """Weights by name, as Paddle has them, of a file of Paddle's or PyTorch's; its card, if there is one.

    And whether they were trained on RGB, where that is known: its card says so, and MMPose's files, which have names of
    their own, always are.

    Raises FileNotFoundError: no such file; ValueError: it is no file of weights, or one that would run code.
    """
    from_torch = is_torch(path)
    content = read_torch(path) if from_torch else read_pickle(path)
    text = content.get("card") if isinstance(content, Mapping) else None
    with entry(str(path)):
        card = Card.from_json(text) if isinstance(text, str) else None
    state = to_state(content, path, from_torch=from_torch)
    is_mmpose = any(re.match(_MMPOSE, str(key)) for key in content.get("state_dict", ()))
    return state, card, card.rgb if card else is_mmpose or None


def put(model: nn.Layer, state: State, path: Path, *, strict: bool = True) -> Report:
    """Put weights that were read from `path` into a network; `load` says the rest."""
    own = model.state_dict()
    report = compare(own, state)
    if not report.loaded or (strict and not report.complete):
        raise ValueError(f"{path}: these are not the weights of this network: {report}")
    for key in report.loaded:
        own[key].set_value(paddle.to_tensor(state[key]).astype(own[key].dtype))
    return report


def to_state(content: Any, path: Path, *, from_torch: bool = False) -> State:
    """Weights by name, as Paddle has them, of what was read from `path`; of a checkpoint its `state_dict`.

    Prefixes are left out that a wrapper for several GPUs, or the first Simple Baselines in Paddle, put before names.

    Raises ValueError: it is something else.
    """
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected weights by name, found a {type(content).__name__}")
    values = {_PREFIX.sub("", str(key)): _array(value) for key, value in content.items()}
    state = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
    if strange := [key for key, value in state.items() if value.dtype.kind == "c"]:
        raise ValueError(f"{path}: {strange[0]} holds complex numbers, which no network here has")
    return torch_to_paddle(state, transpose=from_torch)


def _array(value: Any) -> Any:
    """Paddle pickles a tensor as a pair of its automatic name and its values."""
    return value[1] if isinstance(value, tuple) and len(value) == 2 else value


def torch_to_paddle(state: Mapping[str, NDArray[Any]], *, transpose: bool = True) -> State:
    """Weights as Paddle has them: batch norms' statistics by its names and without a counter, matrices transposed."""
    renamed = {}
    for key, value in state.items():
        parent, _, name = key.rpartition(".")
        if name != "num_batches_tracked":
            title = f"{parent}.{_STATISTICS.get(name, name)}".lstrip(".")
            renamed[title] = value.T if transpose and value.ndim == 2 else value
    return renamed


def paddle_to_torch(state: Mapping[str, NDArray[Any]]) -> State:
    """Weights as PyTorch has them: the way back from `torch_to_paddle`, batch norms' counters at 0."""
    theirs = {ours: name for name, ours in _STATISTICS.items()}
    renamed = {}
    for key, value in state.items():
        parent, _, name = key.rpartition(".")
        renamed[f"{parent}.{theirs.get(name, name)}".lstrip(".")] = value.T if value.ndim == 2 else value
        if name == "_variance":
            renamed[f"{parent}.num_batches_tracked"] = np.array(0, np.int64)
    return renamed


def compare(tensors: Mapping[str, paddle.Tensor], state: State) -> Report:
    """Which arrays of a state fit tensors by name and shape."""
    own = {key: tuple(value.shape) for key, value in tensors.items()}
    mismatched = [key for key, value in state.items() if key in own and value.shape != own[key]]
    return Report(
        loaded=tuple(key for key in own if key in state and key not in mismatched),
        missing=tuple(key for key in own if key not in state),
        unexpected=tuple(key for key in state if key not in own),
        mismatched=tuple(f"{key} {state[key].shape} for {own[key]}" for key in mismatched),
    )


def load_pretrained(model: nn.Layer, path: Path) -> Report:
    """Put those of a file's weights that fit, such as an ImageNet trunk's, into a network, and log what did."""
    report = load(model, path, strict=False)
    _LOG.info("=> loading pretrained model %s: %s", path, report)
    return report


def to_arrays(value: Any) -> Any:
    """A nested state with arrays for tensors, so that its file can be read without Paddle and by `read_pickle`."""
    if isinstance(value, paddle.Tensor):
        return value.numpy()
    if isinstance(value, Mapping):
        return {key: to_arrays(item) for key, item in value.items()}
    return value


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write weights, or a checkpoint around them, beside `path` and rename it.

    Raises OSError: it cannot be written; what was at `path` is still there.
    """
    with written_beside(path) as unfinished:
        paddle.save(to_arrays(state), str(unfinished))
