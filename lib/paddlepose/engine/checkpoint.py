"""The state of a run at the end of an epoch: enough to go on as if nothing had happened."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import paddle
from paddle import Tensor, nn

from paddlepose.core.files import entry
from paddlepose.engine import weights
from paddlepose.engine.evaluate import NO_FIGURE
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.train import Step

_LOG = logging.getLogger(__name__)
FILE, BEST, FINAL = "checkpoint.pdparams", "model_best.pdparams", "final_state.pdparams"


def is_better(figure: float, best: float) -> bool:
    """Whether weights of a figure are kept instead of those of the best one: of the latest while none has any."""
    return figure > best or best == NO_FIGURE


class Checkpoints:
    """The files of a run: `checkpoint.pdparams` after each epoch, `model_best.pdparams`, `final_state.pdparams`."""

    def __init__(self, folder: Path, model: nn.Layer, step: Step) -> None:
        """Keep the state of `model` and of the `step` that trains it in `folder`."""
        self.folder, self.model, self.step = folder, model, step
        self.best = NO_FIGURE

    @property
    def _weights(self) -> dict[str, paddle.Tensor]:
        """What is measured and handed on: the running mean of the weights where there is one."""
        return self.step.ema.mean if self.step.ema else self.model.state_dict()

    def save(self, next_epoch: int) -> None:
        """Write the state after an epoch, and the best figure of those before it."""
        _LOG.info("=> saving checkpoint to %s", self.folder)
        state = weights.to_arrays(
            {
                "epoch": next_epoch,
                "best": float(self.best),
                "state_dict": self.model.state_dict(),
                "optimizer_type": type(self.step.optimizer).__name__,
                "optimizer": self.step.optimizer.state_dict(),
                "scaler": self.step.scaler.state_dict(),
                "ema": self.step.ema.mean if self.step.ema else {},
            }
        )
        weights.save({**state, "checksum": _checksum(state)}, self.folder / FILE)

    def keep_best(self, figure: float) -> None:
        """Write the weights, if no figure before was as good as theirs."""
        if is_better(figure, self.best):
            self.best = figure
            weights.save(self._weights, self.folder / BEST)

    def finish(self) -> None:
        """Write the weights of the last epoch."""
        path = self.folder / FINAL
        weights.save(self._weights, path)
        _LOG.info("=> saving final model state to %s", path)

    def resume(self, folder: Path) -> int | None:
        """Go on from the checkpoint in `folder`, if there is one: the epoch that comes next.

        The figure of the epoch before is not in it: it was written before the measurement.

        Raises ValueError: the file cannot be read, is damaged, or is of another network or optimiser.
        """
        path = folder / FILE
        if not path.is_file():
            _LOG.info("=> no checkpoint in %s: the run starts at its beginning", folder)
            return None
        _LOG.info("=> loading checkpoint '%s'", path)
        state = read_pickle(path)
        own_weights = weights.to_state(state, path)
        if missing := [key for key in ("best", "epoch", "optimizer", "scaler", "ema") if key not in state]:
            raise ValueError(f"{path}: weights alone, without '{missing[0]}': a run cannot go on from them")
        with entry(f"{path}: damaged, copy it again"):
            _check(state)
        weights.put(self.model, own_weights, path)
        own, saved = type(self.step.optimizer).__name__, state.get("optimizer_type")
        if saved not in (None, own):  # None: of a version that did not write it
            raise ValueError(
                f"{path}: saved with the optimiser {saved}, this run has {own}: resume with that TRAIN.OPTIMIZER, "
                "or start anew from its weights with TRAIN.CHECKPOINT"
            )
        with entry(f"{path}: damaged, copy it again"):
            self._make_accumulators(state["optimizer"], is_whole="checksum" in state)
            self._restore(state["optimizer"], state["scaler"], state["ema"])
        self.best = float(state["best"])
        _LOG.info("=> loaded checkpoint '%s' (epoch %d)", path, state["epoch"])
        return state["epoch"]

    def _restore(self, saved: dict[str, Any], scaler: dict[str, Any], mean: dict[str, Any]) -> None:
        """Take over what was saved beside the weights. Raises ValueError: it is not what this run keeps."""
        optimizer = self.step.optimizer
        optimizer.set_state_dict(_fitting("optimiser", optimizer.state_dict(), saved))
        if scaler:
            self.step.scaler.load_state_dict(scaler)
        if self.step.ema:
            own = self.model.state_dict()
            self.step.ema.load(_fitting("running mean", own, mean) if mean else own)

    def _make_accumulators(self, saved: Mapping[str, Any], *, is_whole: bool) -> None:
        """Have the optimiser make what it keeps of the weights that `saved` knows, which it does at their first step.

        The step is of no gradient at no learning rate: the weights stay as they are.

        Raises ValueError: nothing is kept of a weight, which is right of one without gradients, in what `is_whole`.
        """
        trained = [parameter for parameter in self.model.parameters() if not parameter.stop_gradient]
        known = [p for p in trained if any(key.startswith(f"{p.name}_") for key in saved)]
        if len(known) < len(trained) and not is_whole:
            raise ValueError(f"its optimiser keeps nothing of {len(trained) - len(known)} weights")
        for parameter in known:
            parameter.grad = paddle.zeros_like(parameter)
        self.step.optimizer.set_lr(0.0)
        self.step.optimizer.step()
        self.step.optimizer.clear_grad()


def _fitting(title: str, own: Mapping[str, Tensor], saved: Mapping[str, Any]) -> dict[str, Tensor]:
    """Saved arrays as tensors of the kind of a run's own. Raises ValueError: names or shapes are others."""
    arrays = {key: value for key, value in saved.items() if isinstance(value, np.ndarray) and value.dtype.kind == "f"}
    report = weights.compare(own, arrays)
    if not (arrays and report.complete):
        raise ValueError(f"its {title} is not this run's: {report}")
    return {key: paddle.to_tensor(value).astype(own[key].dtype) for key, value in arrays.items()}


def _check(state: Mapping[str, Any]) -> None:
    """Hold a saved state to what was written. Raises ValueError: it cannot have been."""
    others = {key: value for key, value in state.items() if key != "checksum"}
    if state.get("checksum") not in (None, _checksum(others)):  # None: of a version that did not write it
        raise ValueError("its content is not what was written")
    if type(state["epoch"]) is not int or state["epoch"] < 1:
        raise ValueError(f"its epoch is {state['epoch']!r}")
    if not isinstance(state["best"], int | float) or math.isnan(state["best"]):
        raise ValueError(f"its best figure is {state['best']!r}")


def _checksum(value: Any, start: int = 0) -> int:
    """Number by which it is known that a nested state is what was written."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            start = _checksum(item, crc32(str(key).encode(), start))
        return start
    if isinstance(value, np.ndarray):
        return crc32(np.ascontiguousarray(value), crc32(f"{value.dtype} {value.shape}".encode(), start))
    return crc32(repr(value).encode(), start)
