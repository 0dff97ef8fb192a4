"""The training loop. It knows no task: outputs, targets, losses and teachers are matters of the criterion."""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Literal

import paddle
from paddle import Tensor, nn
from tqdm import tqdm

from paddlepose.engine.ema import Ema
from paddlepose.engine.loader import Loader
from paddlepose.engine.report import Watch
from paddlepose.losses import Criterion


class Step:
    """One batch forward and backward; every `accumulate`-th time, and at an epoch's end, the weights change."""

    def __init__(
        self,
        model: nn.Layer,
        criterion: Criterion,
        optimizer: paddle.optimizer.Optimizer,
        *,
        accumulate: int = 1,
        amp: Literal["fp16", "bf16"] | None = None,
        ema: Ema | None = None,
    ) -> None:
        """Train `model`; `amp` computes in 16 bits where that is safe, `ema` follows the weights."""
        self.model, self.criterion, self.optimizer = model, criterion, optimizer
        self.accumulate, self.ema = accumulate, ema
        self.amp = {"fp16": "float16", "bf16": "bfloat16", None: None}[amp]
        self.scaler = paddle.amp.GradScaler(enable=amp == "fp16")

    def __call__(
        self, batch: Mapping[str, Tensor], number: int, *, last: bool
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Outputs and losses of batch `number` of the epoch, the last of it if `last`.

        Raises FloatingPointError: the loss is not finite; the weights have not changed.
        """
        change = last or (number + 1) % self.accumulate == 0
        wait = nullcontext() if change or not hasattr(self.model, "no_sync") else self.model.no_sync()
        with wait:
            with paddle.amp.auto_cast(self.amp is not None, dtype=self.amp or "float16"):
                outputs = self.model(batch["image"])
                losses = self.criterion(outputs, batch)
            if not math.isfinite(losses["loss"].item()):
                raise FloatingPointError(f"the loss is {losses['loss'].item()}")
            self.scaler.scale(losses["loss"] / self.accumulate).backward()
        if change:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.clear_grad()
            if self.ema:
                self.ema.update()
        return outputs, losses


def fit(
    step: Step,
    loader: Loader,
    schedule: Callable[[int], float],
    *,
    epochs: range,
    watch: Watch,
    after_epoch: Callable[[int], bool],
) -> None:
    """Train for `epochs`, or until `after_epoch` says to stop; `schedule` gives a step's learning rate by its number.

    Raises FloatingPointError: a loss is not finite; the message names the step.
    """
    for epoch in epochs:
        paddle.seed(epoch)  # what a network draws depends on the epoch alone, so that a resumed run draws the same
        step.model.train()
        watch.begin(epoch, len(loader))
        for i, batch in enumerate(tqdm(loader.epoch(epoch), total=len(loader), disable=None, leave=False)):
            watch.loaded()
            step.optimizer.set_lr(schedule(epoch * len(loader) + i))
            try:
                outputs, losses = step(batch, i, last=i + 1 == len(loader))
            except FloatingPointError as error:
                raise FloatingPointError(f"epoch {epoch}, step {i}: {error}; try a lower TRAIN.LR") from None
            watch.stepped(i, batch, outputs, losses)
        if after_epoch(epoch):
            return
