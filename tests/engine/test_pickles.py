"""Reading weights runs nothing that stands in them."""

import builtins
import codecs
import os
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import paddle
import pytest

from paddlepose.engine.pickles import read_pickle

VALUES = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.float64(0.5),
    "c": [1, "two", (3.0, None, True)],
    "d": OrderedDict(e=np.array([], np.int64)),
    "f": np.asfortranarray(np.ones((2, 3), np.float16)),
}


def same(a, b):
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_values_come_back(tmp_path, protocol):
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps(VALUES, protocol))
    assert same(read_pickle(path), VALUES)


def test_a_file_of_an_older_numpy(tmp_path):
    """Before numpy 2 the function that makes an array was in another module."""
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps(VALUES, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert same(read_pickle(path), VALUES)


def test_a_file_of_paddles_own(tmp_path):
    """Paddle pickles a tensor as a pair of its name and its values, and adds a table of names."""
    layer = paddle.nn.Linear(2, 3)
    paddle.save(layer.state_dict(), str(tmp_path / "a.pdparams"))
    content = read_pickle(tmp_path / "a.pdparams")
    weight = content["weight"]
    assert np.array_equal(weight[1] if isinstance(weight, tuple) else weight, layer.weight.numpy())


class Call:
    """When unpickled, it is the result of a call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "system"),
        (builtins.eval, "eval"),
        (builtins.getattr, "getattr"),
        (builtins.open, "open"),
        (subprocess.check_output, "check_output"),
        (np.load, "load"),
    ],
)
def test_other_calls_are_refused(tmp_path, function, name, protocol):
    proof = tmp_path / "proof"
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps({"a": [np.zeros(2), Call(function, f"touch {proof}")]}, protocol))
    with pytest.raises(ValueError, match=rf"a.pdparams: refused, not read: it asks to run \S+\.{name}, which"):
        read_pickle(path)
    assert not proof.exists()


def test_text_is_encoded_in_one_way_only(tmp_path):
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps(Call(codecs.encode, "text", "rot13"), 2))
    with pytest.raises(ValueError, match="refused, not read: it asks to encode text as rot13"):
        read_pickle(path)


def test_every_cut_is_an_error(tmp_path):
    whole = pickle.dumps(VALUES)
    path = tmp_path / "a.pdparams"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a.pdparams: not a file of weights, or cut off"):
            read_pickle(path)


def test_dice_are_an_error(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.pdparams"
    for _ in range(200):
        path.write_bytes(rng.bytes(40))
        with pytest.raises(ValueError, match=r"a.pdparams: "):
            read_pickle(path)


def test_a_dictionary_of_python_2(tmp_path):
    """It made an ordered dictionary of a list of pairs, and its texts are bytes."""
    path = tmp_path / "a.pth"
    path.write_bytes(b"\x80\x02ccollections\nOrderedDict\n](](U\1bK\1e](U\1aK\2ee\x85R.")
    assert same(read_pickle(path), OrderedDict(b=1, a=2))


def test_a_dictionary_keeps_its_methods(tmp_path):
    """A pickle can give an ordered dictionary attributes; torch's has one of the layers' versions."""
    state = OrderedDict(a=1)
    state.get = state._metadata = 5
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps(state))
    content = read_pickle(path)
    assert content.get("a") == 1
    assert not vars(content)


# What a few bytes can ask for: an endless number, or terabytes; and what came of it.
LATIN = b"\x80\x02c_codecs\nencode\nqd" + pickle.dumps(("a" * 2**20, "latin1"), 2)[2:-1] + b"qeR"
BOMBS = {
    "a place in the memo": (b"\x80\x02Nr\xff\xff\xff\x7f.", ": read"),
    "places that collide": (b"N%b." % b"".join(b"p%d\n" % (i * (2**61 - 1)) for i in range(50_000)), ": read"),
    "digits": (b"I" + b"9" * 2**22 + b"\n.", "a line of text has no end"),
    "a long number": (b"\x80\x02\x8b\xff\xff\xff\x7f", "refused, not read: it has instructions that"),
    "keys that collide": (pickle.dumps({i * (2**61 - 1): 0 for i in range(3)}), "keys are no names"),
    "a key in a key": (b"\x80\x02}N%bNs." % (b"2\x86" * 99), "keys are no names"),
    "a value in a value": (b"\x80\x02N%b." % (b"2\x86" * 99), ": read"),
    "lists in lists": (b"\x80\x02%b%b." % (b"]" * 10**5, b"a" * (10**5 - 1)), ": read"),
    "bytes": (b"\x80\x04\x8e" + bytes(6) + b"\1\0.", "281,474,976,710,656 bytes are said to follow"),
    "changing bytes": (b"\x80\x05\x96" + bytes(6) + b"\1\0.", "bytes are said to follow"),
    "zeros": (pickle.dumps(Call(np.frombuffer, 2**40), 2), "refused, not read: it asks to run numpy"),
    "zeros of old": (b"c__builtin__\nbytes\n(I99999999999\ntR.", "not a file of weights"),
    "an empty array": (b"cnumpy\nndarray\n((I99999999999\nttR.", "not a file of weights"),
    "pointers": (pickle.dumps(np.zeros(2, object)), "refused, not read: it asks for arrays of O8"),
    "the same again": (LATIN + b"hdheR" * 10**4 + b".", "refused, not read: it asks for more than 8 times its size"),
}


def limited(program, folder):
    """The lines that a program prints, run where there is a gigabyte of memory, and how many megabytes it took."""
    command = [sys.executable, "-c", LIMITS + program + "print(kilobytes('VmHWM') - before)", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *lines, used = done.stdout.splitlines()
    return lines, int(used) / 2**10


def outcomes(folder):
    """What came of reading each file of a folder, and how many megabytes that took."""
    return limited("for path in files:\n    print(outcome(path))\n", folder)


LIMITS = """
import resource, sys
from pathlib import Path
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.torch_file import is_torch, read_torch

def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])

def outcome(path):
    try:
        (read_torch if is_torch(path) else read_pickle)(path)
        return f"{path}: read"
    except ValueError as error:
        return str(error)

files = sorted(Path(sys.argv[1]).iterdir())
resource.setrlimit(resource.RLIMIT_AS, (2**10 * kilobytes("VmSize") + 2**30,) * 2)
before = kilobytes("VmRSS")
"""


def test_a_small_file_takes_little_memory_and_time(tmp_path):
    for name, (content, _) in BOMBS.items():
        (tmp_path / name).write_bytes(content)
    lines, megabytes = outcomes(tmp_path)
    for line, name in zip(lines, sorted(BOMBS), strict=True):
        assert line.startswith(f"{tmp_path / name}: ")
        assert BOMBS[name][1] in line
    assert megabytes < 100


def test_a_refusal_is_one_line(tmp_path):
    path = tmp_path / "a.pdparams"
    path.write_bytes(b"\x80\x04" + pickle.dumps("o\ns\x1b[2J")[2:-1] + pickle.dumps("x" * 999)[2:-1] + b"\x93.")
    with pytest.raises(ValueError, match=r"asks to run o\\ns\\x1b\[2J.x+") as error:
        read_pickle(path)
    assert len(str(error.value)) < 500


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.pdparams: no such file of weights"):
        read_pickle(tmp_path / "none.pdparams")
