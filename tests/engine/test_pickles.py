"""Reading weights runs nothing that stands in them."""

import builtins
import codecs
import os
import pickle
import subprocess
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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.pdparams: no such file of weights"):
        read_pickle(tmp_path / "none.pdparams")
