"""Optimisers and learning rates of the published training recipes."""

import math
from bisect import bisect_right
from collections.abc import Callable, Collection

import paddle
from paddle import Tensor, nn

from paddlepose.settings import TrainSection


def build(options: TrainSection, model: nn.Layer) -> paddle.optimizer.Optimizer:
    """The optimiser that TRAIN.OPTIMIZER names, over the weights of a network that are trained."""
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    if options.optimizer == "adam":
        is_one_rate = not options.freeze and options.lr_head is None
        return paddle.optimizer.Adam(options.lr, parameters=parameters, use_multi_tensor=is_one_rate)
    if options.optimizer == "adamw":
        decayed = {parameter.name for parameter in parameters if parameter.ndim > 1}  # no bias, no batch norm
        return paddle.optimizer.AdamW(
            options.lr, parameters=parameters, weight_decay=options.wd, apply_decay_param_fun=decayed.__contains__
        )
    if options.optimizer == "rms":
        return RMSProp(options.lr, parameters, momentum=options.momentum, weight_decay=options.wd)
    return paddle.optimizer.Momentum(
        options.lr, options.momentum, parameters=parameters, weight_decay=options.wd, use_nesterov=options.nesterov
    )


def set_rates(options: TrainSection, model: nn.Layer, new: Collection[str], epoch: int) -> None:
    """Give the `new` weights of a network, by name, and the others their shares of the learning rate in an epoch."""
    if not options.freeze and options.lr_head is None:
        return
    head = 1.0 if options.lr_head is None else options.lr_head / options.lr
    for name, parameter in model.named_parameters():
        parameter.optimize_attr["learning_rate"] = head if name in new else float(epoch >= options.freeze)


def learning_rate(options: TrainSection, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step's absolute number, so that a resumed run has the same.

    Steps count from 0 at epoch 0, also where TRAIN.BEGIN_EPOCH is later. Over the first TRAIN.WARMUP_STEPS the rate
    rises in a line to what it would be without them.
    """
    rate, warmup = _decay(options, steps_per_epoch), options.warmup_steps
    return lambda step: rate(step) * (min(1.0, (step + 1) / warmup) if warmup else 1.0)


def _decay(options: TrainSection, steps_per_epoch: int) -> Callable[[int], float]:
    if options.lr_type == "MultiStepDecay":
        bounds = sorted(options.lr_step)
        return lambda step: options.lr * options.lr_factor ** bisect_right(bounds, step // steps_per_epoch)
    first = options.begin_epoch * steps_per_epoch
    total = options.end_epoch * steps_per_epoch - first
    if options.lr_type == "CosineDecay":
        return lambda step: options.lr * (1 + math.cos(math.pi * (step - first) / total)) / 2
    return lambda step: options.lr * (1 - (step - first) / total) ** 0.9


class RMSProp(paddle.optimizer.Optimizer):
    """RMSProp with epsilon outside the square root and a momentum free of the learning rate.

    v = 0.99 v + 0.01 g^2 and step = g / (sqrt(v) + 1e-8) for a gradient g that includes the weight decay; the step, or
    its momentum b = m b + step, is subtracted times the learning rate. Paddle's own has epsilon inside the root,
    which takes other steps where gradients are small, as those of heatmap losses are.
    """

    _DECAY, _EPSILON = 0.99, 1e-8

    def __init__(self, learning_rate: float, parameters: list[Tensor], *, momentum: float, weight_decay: float) -> None:
        """Momentum 0 is none; `weight_decay` times each weight is added to its gradient."""
        super().__init__(learning_rate, parameters=parameters, weight_decay=weight_decay or None)
        self._momentum = momentum

    def _create_accumulators(self, block: object, parameters: list[Tensor]) -> None:
        for parameter in parameters:
            self._add_accumulator("square", parameter)
            self._add_accumulator("momentum", parameter)

    def _append_optimize_op(self, block: object, param_and_grad: tuple[Tensor, Tensor]) -> None:
        parameter, gradient = param_and_grad
        square = self._get_accumulator("square", parameter)
        average = self._get_accumulator("momentum", parameter)
        with paddle.no_grad():
            square.copy_(self._DECAY * square + (1 - self._DECAY) * gradient.square(), True)
            average.copy_(self._momentum * average + gradient / (square.sqrt() + self._EPSILON), True)
            parameter.copy_(parameter - self.get_lr() * average, True)
