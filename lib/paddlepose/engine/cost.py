"""What a network costs: its weights, the multiplications that one picture takes, and the time."""

import statistics
import timeit
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import paddle
from paddle import Tensor, nn
from paddle.vision.ops import DeformConv2D

_COUNTED = (nn.Conv2D, nn.Conv2DTranspose, DeformConv2D, nn.Linear)


@dataclass(frozen=True)
class Cost:
    """What a network costs for one picture."""

    params: int  # trainable numbers; the running statistics of batch norms are none
    # multiplications by weights as published tables count them: those of a transposed convolution at each pixel of its
    # output, at stride 2 four times what it computes
    counted: int
    macs: int  # multiplications by weights as they are
    # `params` as the bottom-up networks' table counts them: a layer's at each of its calls, and weights that layers
    # share in each
    called: int


def cost(model: nn.Layer, input_size: tuple[int, int]) -> Cost:
    """The cost of a network in evaluation mode for a picture of (width, height), found by one forward pass.

    As in published tables only (deformable, transposed) convolutions and linear layers multiply; attention's products
    of features with each other are not counted. A layer with `published_calls` counts in tables as if it were called so
    many times.
    """
    total: Counter[str] = Counter()
    repeated = [layer for layer in model.sublayers() if hasattr(layer, "published_calls")]
    calls = {id(part): layer.published_calls for layer in repeated for part in layer.sublayers()}

    def count(layer: nn.Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        times = calls.get(id(layer), 1)
        total["called"] += times * _params(layer.parameters(include_sublayers=False))
        if isinstance(layer, _COUNTED):
            is_linear, is_transposed = isinstance(layer, nn.Linear), isinstance(layer, nn.Conv2DTranspose)
            places = prod(output.shape[:-1] if is_linear else output.shape[2:])
            total["counted"] += times * layer.weight.size * places
            total["macs"] += layer.weight.size * (prod(inputs[0].shape[2:]) if is_transposed else places)

    layers = [layer for layer in model.sublayers(True) if layer.parameters(include_sublayers=False)]
    hooks = [layer.register_forward_post_hook(count) for layer in layers]
    try:
        _forward(model, input_size)
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(_params(model.parameters()), total["counted"], total["macs"], total["called"])


def _params(weights: Iterable[Tensor]) -> int:
    """How many of the numbers are trained."""
    return sum(weight.size for weight in weights if not weight.stop_gradient)


def milliseconds(model: nn.Layer, input_size: tuple[int, int], *, runs: int) -> float:
    """The median time of `runs` forward passes of one picture of (width, height), after one that is not counted."""
    times = timeit.repeat(lambda: _forward(model, input_size), repeat=runs + 1, number=1)
    return 1e3 * statistics.median(times[1:])


def _forward(model: nn.Layer, input_size: tuple[int, int]) -> None:
    """Compute the outputs for one picture, and wait until the last is there."""
    with paddle.no_grad():
        model(paddle.zeros([1, 3, *input_size[::-1]]))[-1].numpy()
