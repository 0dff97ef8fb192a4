"""2D human pose estimation on PaddlePaddle: train, measure, export to ONNX, deploy without Paddle."""

import importlib

from paddlepose import cpu

__version__ = "0.1.0"

cpu.set_environment()

# The public names and their homes: imported when first used, so that deploying never imports Paddle.
_HOMES = {
    "Card": "paddlepose.core.types",
    "Poses": "paddlepose.core.types",
    "Result": "paddlepose.core.result",
    "build_network": "paddlepose.models",
    "load": "paddlepose.runtime",
    "load_config": "paddlepose.config",
}
__all__ = ["Card", "Poses", "Result", "build_network", "load", "load_config"]


def __getattr__(name: str) -> object:
    """A public name, from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'paddlepose' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
