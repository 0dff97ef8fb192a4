"""Deformable convolution, and a way to train it on a CPU, where Paddle's own takes four times as long."""

from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor
from paddle.autograd import PyLayer
from paddle.nn import functional as F
from paddle.vision.ops import DeformConv2D
from scipy.sparse import csr_array

Floats = NDArray[np.float32]

# Rows and columns of a 3x3 kernel's taps, from its centre, (9, 2).
TAPS = np.mgrid[-1:2, -1:2].reshape(2, 9).T.astype(np.float32)


class DeformableConv(DeformConv2D):
    """3x3 convolution without bias that keeps the size and whose taps are moved, at each pixel otherwise.

    With `by_grid` it uses grid sampling, for runtimes without the operator: the same values, in several times as long.
    """

    by_grid = False

    def __init__(self, channels_in: int, channels_out: int, dilation: int) -> None:
        """Taps are `dilation` pixels apart before they are moved."""
        super().__init__(channels_in, channels_out, 3, padding=dilation, dilation=dilation, bias_attr=False)

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """(B, C, H, W) and how far taps move, (B, 18: row and column of each, H, W), to (B, channels_out, H, W)."""
        if self.by_grid:
            return self._by_grid(x, offset)
        if self.training and x.place.is_cpu_place():
            return self._by_samples(x, offset)
        # In a graph that is to be exported a mask of ones, without which paddle2onnx cannot write the operator; outside
        # one a mask without a gradient would end the process on the way back.
        return super().forward(x, offset, None if paddle.in_dynamic_mode() else paddle.ones_like(offset[:, :9]))

    def _by_samples(self, x: Tensor, offset: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        samples = _Sampled.apply(x, offset, self._dilation[0]).transpose([0, 2, 1, 3]).flatten(2)
        kernel = self.weight.flatten(2).transpose([2, 1, 0]).flatten(0, 1)  # (9 C, channels_out)
        return paddle.matmul(samples, kernel).transpose([0, 2, 1]).reshape([batch, -1, height, width])

    def _by_grid(self, x: Tensor, offset: Tensor) -> Tensor:
        taps = paddle.to_tensor(self._dilation[0] * TAPS.T.reshape(2, 9, 1, 1))
        places = []
        for axis, moved in ((3, offset[:, 1::2]), (2, offset[:, ::2])):  # columns, then rows, each (B, 9, H, W)
            pixel = paddle.ones_like(x[:, :1]).cumsum(axis) - 1
            last = paddle.shape(x)[axis].astype(x.dtype) - 1
            places.append((pixel + taps[axis - 2] + moved) * (2 / last) - 1)  # from -1 to 1
        grids = paddle.stack(places, -1)
        found = [F.grid_sample(x, grids[:, tap], align_corners=True) for tap in range(9)]
        return F.conv2d(paddle.stack(found, 2).flatten(1, 2), self.weight.flatten(1).unsqueeze([2, 3]))


class _Sampled(PyLayer):
    """What nine moved taps see at each pixel: (B, C, H, W) and (B, 18, H, W) to (B, 9, H W, C), bilinear, 0 outside.

    Each sample is a sum of four pixels, all samples of a picture a product with a sparse matrix; its transpose, and the
    matrices of its derivatives, make the gradients.
    """

    @staticmethod
    def forward(context: Any, x: Tensor, offset: Tensor, dilation: int) -> Tensor:
        """The samples."""
        batch, channels, height, width = context.shape = x.shape
        context.pictures = x.numpy().reshape(batch, channels, -1).transpose(0, 2, 1).copy()
        context.samplers = [_Sampler(moved, dilation) for moved in offset.numpy().reshape(batch, 9, 2, height, width)]
        samples = [s.values @ p for s, p in zip(context.samplers, context.pictures, strict=True)]
        return paddle.to_tensor(np.stack(samples).reshape(batch, 9, -1, channels))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the features and of the taps' places."""
        batch, channels, height, width = context.shape
        to_x, to_offset = [], []
        for one, sampler, picture in zip(gradient.numpy(), context.samplers, context.pictures, strict=True):
            flat = one.reshape(-1, channels)
            to_x.append((sampler.values.T @ flat).T)
            slopes = [np.einsum("nc,nc->n", flat, matrix @ picture) for matrix in sampler.slopes()]
            to_offset.append(np.stack([slope.reshape(9, -1) for slope in slopes], 1))
        shapes = ([batch, channels, height, width], [batch, 18, height, width])
        return tuple(
            paddle.to_tensor(np.stack(g).reshape(shape)) for g, shape in zip((to_x, to_offset), shapes, strict=True)
        )


class _Sampler:
    """Sparse matrices (9 H W, H W) that sample one picture at its moved taps."""

    def __init__(self, moved: Floats, dilation: int) -> None:
        """`moved` (9, 2: row and column, H, W) is added to each pixel's place and its taps'."""
        self.size = moved.shape[2:]
        grid = np.indices(self.size, np.float32)
        places = (moved + dilation * TAPS[:, :, None, None] + grid).transpose(1, 0, 2, 3).reshape(2, -1)
        first = np.floor(places)
        share = places - first
        pixels, shares, signs = [], [], []
        for axis, length in enumerate(self.size):
            near = np.stack([first[axis], first[axis] + 1]).astype(np.int32)
            inside = ((near >= 0) & (near < length)).astype(np.float32)
            pixels.append(near.clip(0, length - 1))
            shares.append(np.stack([1 - share[axis], share[axis]]) * inside)
            signs.append(np.array([[-1], [1]], np.float32) * inside)
        self._pixels = (pixels[0][:, None] * self.size[1] + pixels[1][None]).reshape(4, -1).T.ravel()
        self._shares, self._signs = shares, signs
        self.values = self._matrix(*shares)

    def slopes(self) -> tuple[csr_array, csr_array]:
        """The derivatives of `values` to rows and to columns."""
        return self._matrix(self._signs[0], self._shares[1]), self._matrix(self._shares[0], self._signs[1])

    def _matrix(self, rows: Floats, columns: Floats) -> csr_array:
        weights = (rows[:, None] * columns[None]).reshape(4, -1).T.ravel()
        starts = np.arange(0, len(weights) + 1, 4, dtype=np.int32)
        return csr_array((weights, self._pixels, starts), shape=(len(weights) // 4, self.size[0] * self.size[1]))
