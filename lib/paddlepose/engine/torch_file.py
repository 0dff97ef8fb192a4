"""PyTorch's files of weights, read and written without PyTorch, and without running what stands in them."""

import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import written_beside
from paddlepose.engine.pickles import Foreign, Reader, RefusedError, SafeUnpickler, reading

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before torch 1.6; the second is the version
_VERSION = 1001
_BFLOAT16 = np.dtype("V2")  # the upper half of a float32, for which numpy has no type
_NAMES = "Float Double Half BFloat16 Long Int Short Char Byte Bool".split()
_STORAGES = dict(zip(_NAMES, map(np.dtype, "<f4 <f8 <f2 V2 <i8 <i4 <i2 |i1 |u1 |b1".split()), strict=True))
_DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
_DICTIONARY = pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE


class _Tensor(NamedTuple):
    """An array that is empty until the numbers of its storage are at hand, and which of those up to `end` it takes."""

    array: NDArray[Any]
    dtype: np.dtype[Any]
    start: int
    end: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers


class _Storage(NamedTuple):
    """Where the numbers of tensors are: so many from the first on."""

    dtype: np.dtype[Any]
    first: int
    count: int
    tensors: list[_Tensor]


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    numbers = (storage.first, storage.count, offset, *shape, *strides)
    if len(numbers) > 99 or not all(type(number) is int and 0 <= number < 2**60 for number in numbers):
        raise ValueError("a tensor has an impossible shape")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if last >= storage.count and 0 not in shape:
        raise ValueError("a tensor goes beyond its storage")
    array = np.empty(0, np.float32 if storage.dtype == _BFLOAT16 else storage.dtype)
    start, end = storage.first + offset, storage.first + storage.count
    storage.tensors.append(_Tensor(array, storage.dtype, start, end, shape, strides))
    return array


class _TorchUnpickler(SafeUnpickler):
    """Unpickler of what torch wrote, whose tensors are to be filled after it is done."""

    calls: ClassVar[dict[tuple[str, str], Any]] = {
        **SafeUnpickler.calls,
        **{("torch", f"{name}Storage"): dtype for name, dtype in _STORAGES.items()},
        **{("torch", name): name for name in _DTYPES},
        ("torch.storage", "UntypedStorage"): _STORAGES["Byte"],
        ("torch", "Size"): lambda sizes=(): sizes,
        ("torch", "device"): lambda *_: None,
        ("torch._utils", "_rebuild_tensor"): _tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): lambda array, *_: array,
        ("collections", "Counter"): lambda counts: counts,  # in the state of a schedule of learning rates
    }

    def __init__(self, file: Reader, size: int) -> None:
        super().__init__(file, size)
        self.tensors: dict[str, list[_Tensor]] = {}  # by the key of their storage
        self.strangers: list[Foreign] = []

    def foreign(self, name: str) -> Foreign:
        """A stand-in; trainers write objects of their own beside the weights."""
        self.spend(len(name))
        self.strangers.append(Foreign(name))
        return self.strangers[-1]

    def _new(self) -> None:
        """Make an object of a class that stands for a foreign one."""
        self.stack.pop()
        if not isinstance(self.stack[-1], Foreign):
            self._refuse()

    dispatch: ClassVar[dict[int, Any]] = {**SafeUnpickler.dispatch, pickle.NEWOBJ[0]: _new}

    def weights(self) -> Any:
        """What the file holds; where a stand-in is part of it, its `state_dict` alone.

        Raises RefusedError: a stand-in is, or is among, the weights.
        """
        content = self.load()
        if not self.strangers:
            return content
        state = content.get("state_dict") if isinstance(content, Mapping) else None
        values = state.values() if isinstance(state, Mapping) else self.strangers
        for value in values:
            if isinstance(value, Foreign):
                value.refuse()
        return {"state_dict": state}

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a file names."""
        kind, dtype, key, _, count, *part = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or type(key) is not str:
            raise RefusedError("it asks for more than tensors, which no file of weights needs")
        _, first, count = part[0] if part and part[0] else (key, 0, count)
        return _Storage(dtype, first, count, self.tensors.setdefault(key, []))

    def fill(self, key: str, raw: bytes) -> None:
        """Copy the values of the tensors whose storage has that key out of its bytes."""
        for array, dtype, start, end, shape, strides in self.tensors[key]:
            if end * dtype.itemsize > len(raw):
                raise EOFError(f"{len(raw):,} bytes are stored for {end:,} numbers")
            self.spend(math.prod(shape) * array.itemsize)
            array.resize(shape, refcheck=False)
            if array.size:
                steps = [stride * dtype.itemsize for stride in strides]
                values = np.ndarray(shape, dtype, raw, start * dtype.itemsize, steps)
                if dtype == _BFLOAT16:
                    np.left_shift(values.view("<u2"), 16, out=array.view(np.uint32), dtype=np.uint32)
                else:
                    array[...] = values


def is_torch(path: Path) -> bool:
    """Whether a file is one for `read_torch`, judged by how it begins; any zip file is."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith(b"PK") or _is_tar(head) or _MAGIC.to_bytes(10, "little") in head[:32]


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def read_torch(path: Path) -> Any:
    """What `torch.save` wrote, with a new array, C-contiguous, for each tensor; those of bfloat16 become float32.

    Raises FileNotFoundError: no such file; ValueError: it is no file of torch's, it is damaged or cut off, or it
    would run code; nothing of it was run.
    """
    with reading(path) as file:
        head = file.peek(512)
        if _is_tar(head):
            raise RefusedError("a torch before 0.1.10 wrote it: load it with torch and save it again")
        return _read_zip(file) if head.startswith(b"PK") else _read_old(file)


def _read_zip(file: Reader) -> Any:
    size, file.limit = file.limit, Reader.limit  # a hole in the file may pass for its index
    with zipfile.ZipFile(file) as archive:
        file.limit = size
        members = sorted(archive.infolist(), key=lambda member: member.header_offset)
        starts = [member.header_offset for member in members]
        for member, start, end in zip(members, starts, [*starts[1:], size], strict=True):
            if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
                raise RefusedError(f"its {member.filename} is compressed: save it again with torch")
            if not 0 <= start <= end - member.file_size:
                raise RefusedError(f"its {member.filename} is larger than its place: copy it again")
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise RefusedError("it is a zip file without torch's data.pkl, so no file of weights")
        folder = names[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.open(f"{folder}byteorder").read(3) == b"big":
            raise RefusedError("its numbers have the high byte first: save it again on another machine")
        unpickler = _TorchUnpickler(Reader(archive.open(names[0])), size)
        content = unpickler.weights()
        for key in unpickler.tensors:
            unpickler.fill(key, archive.read(f"{folder}data/{key}"))
        return content


def _read_old(file: Reader) -> Any:
    size, file.limit = file.limit, Reader.limit
    if SafeUnpickler(file, size).load() != _MAGIC or SafeUnpickler(file, size).load() != _VERSION:
        raise ValueError("torch did not write it")
    SafeUnpickler(file, size).load()  # about the machine; the numbers have the low byte first whatever it says
    unpickler = _TorchUnpickler(file, size)
    content = unpickler.weights()
    if SafeUnpickler(file, size).load() != sorted(unpickler.tensors):
        raise ValueError("its numbers are not those of its tensors")
    file.limit = size
    for key, tensors in sorted(unpickler.tensors.items()):
        count = int.from_bytes(file.read(8), "little")
        unpickler.fill(key, file.read(count * tensors[0].dtype.itemsize))
    return content


def write_torch(state: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays by name as the dictionary of tensors that `torch.load` reads, from torch 1.6 on.

    Raises ValueError: torch has no tensors of an array's type; OSError: it cannot be written; what was at `path` is
    still there.
    """
    kinds = {dtype: name for name, dtype in _STORAGES.items()}
    content = [pickle.PROTO, b"\2", _DICTIONARY, pickle.MARK]
    for i, (name, array) in enumerate(state.items()):
        if array.dtype not in kinds:
            raise ValueError(f"{path}: {name} is {array.dtype}, which torch's tensors cannot be: convert it")
        content += [_pickled(name), *_pickled_tensor(array, str(i), kinds[array.dtype])]
    content += [pickle.SETITEMS, pickle.STOP]
    with written_beside(path) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"".join(content))
        for i, array in enumerate(state.values()):
            archive.writestr(zipfile.ZipInfo(f"archive/data/{i}"), array.tobytes())
        archive.writestr(zipfile.ZipInfo("archive/version"), b"3\n")


def _pickled(value: Any) -> bytes:
    """The instructions that make a value, without those that begin and end a pickle."""
    return pickle.dumps(value, 2)[2:-1]


def _pickled_tensor(array: NDArray[Any], key: str, kind: str) -> list[bytes]:
    """The instructions that make a tensor of what is stored under a key."""
    strides = tuple(math.prod(array.shape[i + 1 :]) for i in range(array.ndim))
    dtype = pickle.GLOBAL + f"torch\n{kind}Storage\n".encode()
    name = [pickle.MARK, _pickled("storage"), dtype, *map(_pickled, (key, "cpu", array.size)), pickle.TUPLE]
    arguments = [*name, pickle.BINPERSID, *map(_pickled, (0, array.shape, strides, False)), _DICTIONARY]
    call = pickle.GLOBAL + b"torch._utils\n_rebuild_tensor_v2\n" + pickle.MARK
    return [call, *arguments, pickle.TUPLE + pickle.REDUCE]
