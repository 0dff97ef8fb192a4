"""What a network costs: its weights, the multiplications that one picture takes, and the time."""

import statistics
import timeit
from collections import Counter
from dataclasses import dataclass
from math import prod

import paddle
from paddle import Tensor, nn

_COUNTED = (nn.Conv2D, nn.Conv2DTranspose, nn.Linear)


@dataclass(frozen=True)
class Cost:
    """What a network costs for one picture.

    Attributes:
        params: trainable numbers; the running statistics of batch norms are none.
        counted: multiplications by weights as published tables count them: those of a transposed convolution at each
            pixel of its output, at stride 2 four times what it computes.
        macs: multiplications by weights as they are.
    """

    params: int
    counted: int
    macs: int


def cost(model: nn.Layer, input_size: tuple[int, int]) -> Cost:
    """The cost of a network in evaluation mode for a picture of (width, height), found by one forward pass.

    As in published tables only convolutions, transposed convolutions and linear layers multiply; attention's products
    of features with each other are not counted.
    """
    total: Counter[str] = Counter()

    def count(layer: nn.Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        is_linear, is_transposed = isinstance(layer, nn.Linear), isinstance(layer, nn.Conv2DTranspose)
        places = prod(output.shape[:-1] if is_linear else output.shape[2:])
        total["counted"] += layer.weight.size * places
        total["macs"] += layer.weight.size * (prod(inputs[0].shape[2:]) if is_transposed else places)

    hooks = [part.register_forward_post_hook(count) for part in model.sublayers(True) if isinstance(part, _COUNTED)]
    try:
        _forward(model, input_size)
    finally:
        for hook in hooks:
            hook.remove()
    params = sum(weight.size for weight in model.parameters() if not weight.stop_gradient)
    return Cost(params, total["counted"], total["macs"])


def milliseconds(model: nn.Layer, input_size: tuple[int, int], *, runs: int) -> float:
    """The median time of `runs` forward passes of one picture of (width, height), after one that is not counted."""
    times = timeit.repeat(lambda: _forward(model, input_size), repeat=runs + 1, number=1)
    return 1e3 * statistics.median(times[1:])


def _forward(model: nn.Layer, input_size: tuple[int, int]) -> None:
    """Compute the outputs for one picture, and wait until the last is there."""
    with paddle.no_grad():
        model(paddle.zeros([1, 3, *input_size[::-1]]))[-1].numpy()
