"""Files of torch's are read without torch, and nothing that stands in them is run."""

import builtins
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from test_pickles import VALUES, Call, limited, outcomes

from paddlepose.engine.torch_file import is_torch, read_torch, write_torch

ASSETS = Path(__file__).parents[1] / "assets"
NAMES = [
    f"{age}{name}" for age in ("", "old_") for name in ("state.pth", "checkpoint.pth.tar", "kinds.pth", "mmpose.pth")
]
MAGIC = 0x1950A86A20F9469CFC6C


def numbers(shape, start, dtype=np.float32):
    return np.arange(start, start + np.prod(shape, dtype=int)).astype(dtype).reshape(shape)


# As tests/assets/make_torch_files.py made them.
STATE = {
    "0.weight": numbers((2, 3, 3, 3), 0),
    "1.weight": numbers((2,), 100),
    "1.bias": numbers((2,), 200),
    "1.running_mean": numbers((2,), 300),
    "1.running_var": numbers((2,), 400),
    "1.num_batches_tracked": numbers((), 500, np.int64),
    "2.weight": numbers((2, 3, 2, 2), 600),
    "2.bias": numbers((3,), 700),
    "3.weight": numbers((2, 4), 800),
    "3.bias": numbers((2,), 900),
}
LINE = numbers((24,), 0)
KINDS = {
    **{name: numbers((5,), 0, name) for name in "int64 int32 int16 int8 uint8".split()},
    "float64": np.array([0, 0.25, 0.5, 0.75, 1]),
    "float16": np.array([0, 0.25, 0.5, 0.75, 1], np.float16),
    "bfloat16": np.array([0, 0.25, 0.5, 0.75, 1], np.float32),
    "bool": np.array([True, False, True]),
    "scalar": np.array(3),
    "scalar bfloat16": np.array(1.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "shared": LINE,
    "transposed": LINE.reshape(4, 6).T,
    "every fourth": LINE[3:20:4],
    "expanded": np.full((3, 4), 2, np.float32),
    "parameter": numbers((3,), 0),
    "transposed bfloat16": numbers((2, 3), 0).T,
}


def assert_same(state, expected):
    assert list(state) == list(expected)
    for name, array in expected.items():
        assert (state[name].dtype, state[name].shape) == (array.dtype, array.shape), name
        assert np.array_equal(state[name], array), name
        assert state[name].flags.c_contiguous
        assert state[name].flags.writeable


@pytest.mark.parametrize("age", ["", "old_"])
class TestReading:
    def test_a_state_dict(self, age):
        state = read_torch(ASSETS / f"{age}state.pth")
        assert isinstance(state, OrderedDict)
        assert_same(state, STATE)

    def test_a_checkpoint(self, age):
        content = read_torch(ASSETS / f"{age}checkpoint.pth.tar")
        assert list(content) == ["epoch", "state_dict", "optimizer", "perf"]
        assert (content["epoch"], content["perf"]) == (7, 0.75)
        assert_same(content["state_dict"], {f"module.{name}": array for name, array in STATE.items()})
        (group,) = content["optimizer"]["param_groups"]
        assert (group["lr"], group["betas"], group["params"]) == (0.5, (0.9, 0.999), list(range(7)))
        adam = content["optimizer"]["state"]
        assert list(adam) == list(range(7))
        assert np.array_equal(adam[3]["exp_avg"], numbers((2, 3, 2, 2), 3000))
        assert adam[3]["step"] == 1

    def test_each_kind_of_tensor(self, age):
        content = read_torch(ASSETS / f"{age}kinds.pth")
        assert content.pop("others") == ((2, 3), None, "float32", None, [1, 2.5])
        assert_same(content, KINDS)

    def test_no_array_is_part_of_another(self, age):
        content = read_torch(ASSETS / f"{age}kinds.pth")
        content["shared"][:] = -1
        assert content["every fourth"].min() == 3


def test_what_is_torchs(tmp_path):
    assert all(is_torch(ASSETS / name) for name in NAMES)
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps({"a": np.zeros(3)}))
    assert not is_torch(path)
    assert not is_torch(tmp_path / "none.pth")
    with pytest.raises(ValueError, match=r"a.pdparams: not a file of weights, .*torch did not write it"):
        read_torch(path)
    with pytest.raises(FileNotFoundError, match=r"none.pth: no such file of weights"):
        read_torch(tmp_path / "none.pth")


class TestWriting:
    def test_what_is_written_is_read(self, tmp_path):
        write_torch(KINDS, tmp_path / "a.pth")
        assert is_torch(tmp_path / "a.pth")
        assert_same(read_torch(tmp_path / "a.pth"), KINDS)

    def test_the_same_bytes_each_time(self, tmp_path):
        for name in ("a.pth", "b.pth"):
            write_torch(STATE, tmp_path / name)
        assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()

    def test_other_types_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"a.pth: x is complex128, which torch's tensors cannot be: convert it"):
            write_torch({"x": np.zeros(2, complex)}, tmp_path / "a.pth")
        assert not list(tmp_path.iterdir())

    def test_torch_reads_it(self, tmp_path):
        torch = pytest.importorskip("torch")
        write_torch(KINDS, tmp_path / "a.pth")
        state = torch.load(tmp_path / "a.pth", weights_only=True)
        assert isinstance(state, OrderedDict)
        assert_same({name: tensor.numpy() for name, tensor in state.items()}, KINDS)


def zip_of(content, stored=(("0", bytes(24)),), byteorder="little"):
    """A file of today's torch around a pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/byteorder", byteorder)
        for key, raw in stored:
            archive.writestr(f"a/data/{key}", raw)
    return file.getvalue()


def old_of(content, stored=(("0", bytes(24)),)):
    """A file of torch's before 1.6 around a pickle, for storages of float32."""
    parts = [pickle.dumps(value, 2) for value in (MAGIC, 1001, {"little_endian": True})]
    parts += [content, pickle.dumps([key for key, _ in stored], 2)]
    return b"".join(parts + [struct.pack("<q", len(raw) // 4) + raw for _, raw in stored])


def tensor(shape, strides=None, *, offset=0, count=6, key="0", part=""):
    """A pickle of a tensor."""

    def dumped(value):
        return pickle.dumps(value, 2)[2:-1]

    strides = (1,) * len(shape) if strides is None else strides
    storage = b"(" + dumped("storage") + b"ctorch\nFloatStorage\n" + dumped(key) + dumped("cpu") + dumped(count)
    storage += (dumped(part) if part != "" else b"") + b"tQ"
    call = b"ctorch._utils\n_rebuild_tensor\n(" + storage + dumped(offset) + dumped(shape) + dumped(strides) + b"tR"
    return b"\x80\x02" + call + b"."


WRAPS = [pytest.param(zip_of, id="zip"), pytest.param(old_of, id="old")]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize(("function", "name"), [(os.system, "system"), (builtins.eval, "eval"), (open, "open")])
def test_nothing_is_run(tmp_path, wrap, function, name):
    proof = tmp_path / "proof"
    path = tmp_path / "a.pth"
    path.write_bytes(wrap(pickle.dumps({"state_dict": Call(function, f"touch {proof}", "w")}, 2)))
    assert is_torch(path)
    with pytest.raises(ValueError, match=rf"a.pth: refused, not read: it asks to run \S+\.{name}, which"):
        read_torch(path)
    assert not proof.exists()


@pytest.mark.parametrize("age", ["", "old_"])
@pytest.mark.parametrize(("name", "head"), [("mmpose.pth", "head"), ("mmpose_0x.pth", "keypoint_head")])
def test_objects_beside_the_weights_are_never_built(tmp_path, monkeypatch, age, name, head):
    """A file of MMPose's is full of them: its weights alone are read."""
    monkeypatch.chdir(tmp_path)
    content = read_torch(ASSETS / f"{age}{name}")
    assert list(content) == ["state_dict"] and not list(tmp_path.iterdir())
    shapes = {"backbone.conv1.weight": (2, 3, 1, 1), "backbone.bn1.running_var": (2,), f"{head}.final_layer.bias": (3,)}
    state = {key: np.ones(shape, np.float32) for key, shape in shapes.items()}
    assert_same(content["state_dict"], {**state, "backbone.bn1.num_batches_tracked": np.array(7)})


@pytest.mark.parametrize("wrap", WRAPS)
def test_an_object_among_the_weights_is_refused(tmp_path, wrap):
    path = tmp_path / "a.pth"
    path.write_bytes(wrap(pickle.dumps({"state_dict": {"a": 1.0, "b": Path("x")}, "meta": {}}, 2)))
    with pytest.raises(ValueError, match=r"a.pth: refused, not read: it asks to run pathlib.PosixPath, which"):
        read_torch(path)


BAD_TENSORS = {
    "ends after its storage": (tensor((7,)), "a tensor goes beyond its storage"),
    "steps out of its storage": (tensor((3, 2), (3, 1)), "a tensor goes beyond its storage"),
    "begins before its storage": (tensor((2,), offset=-1), "a tensor has an impossible shape"),
    "steps back": (tensor((2,), (-1,)), "a tensor has an impossible shape"),
    "a step too many": (tensor((2,), (1, 1)), "zip()"),
    "a fraction": (tensor((2.0,)), "a tensor has an impossible shape"),
    "a huge storage": (tensor((2,), count=2**40), "24 bytes are stored for 1,099,511,627,776 numbers"),
    "a huge tensor": (tensor((2**40,), count=2**40), "24 bytes are stored for 1,099,511,627,776 numbers"),
    "one number again and again": (tensor((2**20, 2**20), (0, 0)), "it asks for more than 8 times its size"),
    "endless sides": (tensor((2**59,) * 40, (0,) * 40), "it asks for more than 8 times its size"),
    "endless steps": (tensor((2, 1), (2**62, 2**62)), "a tensor has an impossible shape"),
    "many sides": (tensor((1,) * 70, (0,) * 70), "a tensor has an impossible shape"),
    "a part beyond": (tensor((2,), part=("1", 5, 2)), "24 bytes are stored for 7 numbers"),
    "no storage": (tensor((2,), key="1"), ""),
    "a storage with a key of its own": (tensor((2,), key=("0",)), "it asks for more than tensors"),
    "a module": (b"\x80\x02(" + b"X\6\0\0\0module" + b"NNNNtQ.", "it asks for more than tensors"),
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_impossible_tensors(tmp_path, wrap):
    for name, (content, _) in BAD_TENSORS.items():
        (tmp_path / name).write_bytes(wrap(content))
    lines, megabytes = outcomes(tmp_path)
    for line, name in zip(lines, sorted(BAD_TENSORS), strict=True):
        assert line.startswith(f"{tmp_path / name}: ")
        assert not line.endswith(": read")
        assert BAD_TENSORS[name][1] in line
    assert megabytes < 100


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_part_of_a_storage(tmp_path, wrap):
    path = tmp_path / "a.pth"
    path.write_bytes(wrap(tensor((2,), part=("1", 3, 2)), [("0", numbers((6,), 0).tobytes())]))
    assert read_torch(path).tolist() == [3, 4]


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_is_an_error(tmp_path, name):
    whole = (ASSETS / name).read_bytes()
    path = tmp_path / "a.pth"
    for length in [*range(0, len(whole), 41), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a.pth: not a file of weights, or cut off \(.*\): copy it again$"):
            read_torch(path)


def test_damage_is_noticed(tmp_path):
    """A zip file has a sum of each of its parts."""
    path = tmp_path / "a.pth"
    whole = (ASSETS / "state.pth").read_bytes()
    path.write_bytes(whole.replace(numbers((2,), 400).tobytes(), numbers((2,), 401).tobytes()))
    with pytest.raises(ValueError, match=r"a.pth: not a file of weights, or cut off \(.*CRC.*\): copy it again"):
        read_torch(path)


GIGABYTES = 2**31
LIES = {
    "a hole in the pickle": "not a file of weights, or cut off (EOFError: 2,147,482,648 bytes are said to follow)",
    "an index of zeros": "not a file of weights, or cut off (EOFError: 2,147,483,644 bytes are said to follow)",
    "beyond the end": "refused, not read: its a/data.pkl is larger than its place: copy it again",
    "big": "refused, not read: its numbers have the high byte first: save it again on another machine",
    "compressed": "refused, not read: its a/data.pkl is compressed: save it again with torch",
    "followed by zeros": "not a file of weights, or cut off (BadZipFile: File is not a zip file): copy it again",
    "no pickle": "refused, not read: it is a zip file without torch's data.pkl, so no file of weights",
    "old, with a hole": "not a file of weights, or cut off (EOFError: 2,147,482,648 bytes are said to follow)",
    "tar": "refused, not read: a torch before 0.1.10 wrote it: load it with torch and save it again",
    "twice the same bytes": "refused, not read: its a/data/0 is larger than its place: copy it again",
}
GOOD = tensor((2,))
ENDLESS = b"\x80\x02X" + struct.pack("<L", GIGABYTES - 1000)


def write_lies(folder):
    """Files that are not what their index says, or small on the disk and 2 GB long."""

    def lie(name, content=GOOD, start_dir=None, **claims):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("a/data/0", bytes(24))
            archive.writestr("a/data.pkl", content)
            for claim, value in claims.items():
                setattr(archive.filelist[1], claim, value)
            archive.start_dir = start_dir or archive.start_dir

    large = {"file_size": GIGABYTES, "compress_size": GIGABYTES}
    packer = zlib.compressobj(wbits=-15)
    zeros = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    lie("compressed", zeros * 128, compress_type=zipfile.ZIP_DEFLATED, file_size=GIGABYTES)
    lie("a hole in the pickle", ENDLESS, **large, start_dir=GIGABYTES + 4096)
    lie("beyond the end", **large)
    lie("twice the same bytes", header_offset=0)
    (folder / "no pickle").write_bytes(zip_of(b"").replace(b"data.pkl", b"data.pke"))
    (folder / "big").write_bytes(zip_of(GOOD, byteorder="big"))
    (folder / "tar").write_bytes(bytes(257) + b"ustar" + bytes(999))
    (folder / "followed by zeros").write_bytes(zip_of(GOOD))
    os.truncate(folder / "followed by zeros", GIGABYTES)
    (folder / "old, with a hole").write_bytes(old_of(ENDLESS, []))
    os.truncate(folder / "old, with a hole", GIGABYTES)
    with (folder / "an index of zeros").open("wb") as file:
        file.write(b"PK")
        file.seek(GIGABYTES)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, GIGABYTES - 4, 4, 0))


def test_files_that_lie(tmp_path):
    write_lies(tmp_path)
    lines, megabytes = outcomes(tmp_path)
    for line, (name, reason) in zip(lines, sorted(LIES.items()), strict=True):
        assert line.startswith(f"{tmp_path / name}: {reason}")
    assert megabytes < 100


FUZZ = """
import io, zipfile
import numpy as np

def mutated(content):
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(len(content) + 1)), int(rng.integers(1, 9))
        change = max(rng.integers(9) - 4, 0)
        if change == 0:
            content[at : at + 1] = rng.bytes(1)
        elif change == 1:
            content[at : at + 4] = b"\\xff\\xff\\xff\\x7f"
        elif change == 2:
            content[at:at] = rng.bytes(length)
        elif change == 3:
            content[at:at] = content[at - 3 * length : at]
        else:
            del content[at : at + length]
    return bytes(content[: rng.integers(len(content))] if rng.random() < 0.1 else content)

def repacked(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, mutated(old.read(name)) if name.endswith("data.pkl") else old.read(name))
    return packed.getvalue()

rng = np.random.default_rng(0)
seeds = [path.read_bytes() for path in files]
path = files[0].with_name("mutated")
for i in range(2000):
    seed = seeds[i % len(seeds)]
    path.write_bytes((repacked if seed.startswith(b"PK") and rng.random() < 0.7 else mutated)(seed))
    print(outcome(path).removeprefix(f"{path}: "))
"""


def test_mutants_are_read_or_refused(tmp_path):
    """Of 2,000 files, most of them with a sound zip file around a broken pickle, none does anything else."""
    proof = tmp_path / "proof"
    folder = tmp_path / "seeds"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes((ASSETS / name).read_bytes())
    bad = pickle.dumps([Call(os.system, f"touch {proof}")], 2)
    (folder / "zip").write_bytes(zip_of(bad))
    (folder / "old").write_bytes(old_of(bad))
    for protocol in (2, 4):
        (folder / f"pickle{protocol}").write_bytes(pickle.dumps(VALUES, protocol))
    lines, megabytes = limited(FUZZ, folder)
    assert len(lines) == 2000
    assert 50 < lines.count("read") < 1500
    assert sum(line.startswith("refused, not read: ") for line in lines) > 100
    assert megabytes < 300
    assert not proof.exists()
