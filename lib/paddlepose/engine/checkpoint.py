"""The state of a run at the end of an epoch: enough to go on as if nothing had happened."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddlepose.engine import weights
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.train import Step

_LOG = logging.getLogger(__name__)
FILE = "checkpoint.pdparams"


class Checkpoints:
    """The files of a run: `checkpoint.pdparams` after each epoch, `model_best.pdparams`, `final_state.pdparams`."""

    def __init__(self, folder: Path, model: nn.Layer, step: Step) -> None:
        """Keep the state of `model` and of the `step` that trains it in `folder`."""
        self.folder, self.model, self.step = folder, model, step
        self.best = float("-inf")

    @property
    def _weights(self) -> dict[str, paddle.Tensor]:
        """What is measured and handed on: the running mean of the weights where there is one."""
        return self.step.ema.mean if self.step.ema else self.model.state_dict()

    def remove_leftovers(self) -> None:
        """Delete the half-written files of a run that was killed."""
        for unfinished in self.folder.glob(".*.pdparams"):
            unfinished.unlink()

    def save(self, next_epoch: int, perf: float) -> None:
        """Write the state after an epoch, and the best weights where `perf` is better than before."""
        if perf > self.best:
            self.best = perf
            weights.save(self._weights, self.folder / "model_best.pdparams")
        _LOG.info("=> saving checkpoint to %s", self.folder)
        state = {
            "epoch": next_epoch,
            "best": self.best,
            "state_dict": self.model.state_dict(),
            "optimizer_type": type(self.step.optimizer).__name__,
            "optimizer": self.step.optimizer.state_dict(),
            "scaler": self.step.scaler.state_dict(),
            "ema": self.step.ema.mean if self.step.ema else {},
        }
        weights.save(state, self.folder / FILE)

    def finish(self) -> None:
        """Write the weights of the last epoch."""
        path = self.folder / "final_state.pdparams"
        weights.save(self._weights, path)
        _LOG.info("=> saving final model state to %s", path)

    def resume(self, folder: Path) -> int | None:
        """Go on from the checkpoint in `folder`, if there is one: the epoch that comes next.

        Raises ValueError: the file cannot be read, or is of another network.
        """
        path = folder / FILE
        if not path.is_file():
            _LOG.info("=> no checkpoint in %s: the run starts at its beginning", folder)
            return None
        _LOG.info("=> loading checkpoint '%s'", path)
        state = read_pickle(path)
        weights.put(self.model, weights.to_state(state, path), path)
        try:
            self.best, epoch = float(state["best"]), int(state["epoch"])
            optimizer, scaler, mean = state["optimizer"], state["scaler"], state["ema"]
        except KeyError as error:
            raise ValueError(f"{path}: weights alone, without {error}: a run cannot go on from them") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: damaged: {error}") from None
        own, saved = type(self.step.optimizer).__name__, state.get("optimizer_type")
        if saved not in (None, own):  # None: of a version that did not write it
            raise ValueError(
                f"{path}: saved with the optimiser {saved}, this run has {own}: resume with that TRAIN.OPTIMIZER, "
                "or start anew from its weights with TRAIN.CHECKPOINT"
            )
        try:
            self._restore(optimizer, scaler, mean)
        except Exception as error:  # Paddle's and Python's are of any kind
            raise ValueError(f"{path}: damaged: {type(error).__name__}: {error}") from error
        _LOG.info("=> loaded checkpoint '%s' (epoch %d)", path, epoch)
        return epoch

    def _restore(self, optimizer: dict[str, Any], scaler: dict[str, Any], mean: dict[str, Any]) -> None:
        arrays = {key: paddle.to_tensor(value) for key, value in optimizer.items() if isinstance(value, np.ndarray)}
        self.step.optimizer.set_state_dict(optimizer | arrays)
        if scaler:
            self.step.scaler.load_state_dict(scaler)
        if self.step.ema:
            self.step.ema.load(mean or self.model.state_dict())
