"""Where it is computed: the device; and of several processes who this one is, and what they have to bring together."""

from typing import Any, Literal

import paddle
from paddle import distributed, nn
from paddle.base import core


def choose_device(device: Literal["auto", "cpu", "gpu"]) -> None:
    """Compute on a device. Raises ValueError: a GPU is asked for, and there is none."""
    if device == "gpu" and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
        raise ValueError(
            "DEVICE gpu: this PaddlePaddle finds no GPU; install paddlepaddle-gpu (requirements-gpu.txt) on a machine "
            "that has one, or set DEVICE: cpu"
        )
    if device != "auto":
        paddle.set_device(device)


def start() -> None:
    """Join the group that `python -m paddle.distributed.launch` started, where there is one."""
    if world() > 1:
        distributed.init_parallel_env()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank()


def world() -> int:
    """Number of processes."""
    return distributed.get_world_size()


def share(model: nn.Layer) -> nn.Layer:
    """The network with gradients averaged over all processes; on GPUs batch norms see the whole batch."""
    if world() == 1:
        return model
    if paddle.device.get_device().startswith("gpu"):
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return paddle.DataParallel(model)


def average_statistics(model: nn.Layer) -> None:
    """Give all processes the mean of their batch norms' running statistics, which no gradient brings together."""
    if world() == 1:
        return
    for name, value in model.state_dict().items():
        if name.endswith(("._mean", "._variance")):
            distributed.all_reduce(value)
            value.scale_(1 / world())


def wait_for_first(place: str) -> None:
    """Let no process go on before the first one gets to a place, which has its own name each time.

    What the first does alone may take minutes; a collective call after it would fail, as gloo waits for 30 seconds.
    """
    if world() == 1:
        return
    store = core.create_or_get_global_tcp_store()
    if rank() == 0:
        store.set(place, "reached")
    else:
        store.wait(place)


def gather(item: Any) -> list[Any]:
    """The items of all processes, in the order of their ranks."""
    if world() == 1:
        return [item]
    items: list[Any] = []
    distributed.all_gather_object(items, item)
    return items
