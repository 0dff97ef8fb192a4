"""Weights from files: under which names they are found, and what is said of those that do not fit."""

import pickle

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlepose.engine import weights
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.weights import Report, load, load_pretrained, to_state, torch_to_paddle


def network(channels=2):
    return nn.Sequential(nn.Conv2D(3, channels, 1), nn.BatchNorm2D(channels))


def arrays(model):
    return {key: value.numpy() for key, value in model.state_dict().items()}


def drawn(seed=1):
    """Weights of the network, by dice."""
    rng = np.random.default_rng(seed)
    return {key: rng.random(value.shape, np.float32) for key, value in arrays(network()).items()}


def write(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def torch_names(state):
    """The state as PyTorch would have written it."""
    renamed = {key.replace("_mean", "running_mean").replace("_variance", "running_var"): state[key] for key in state}
    return {**renamed, "1.num_batches_tracked": np.array(7)}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        torch_names,
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda state: {"state_dict": {f"module.{key}": value for key, value in torch_names(state).items()}},
        lambda state: {**state, "StructuredToParameterName@@": {"0.weight": "conv2d_0.w_0"}},
        lambda state: {key: (f"name_{key}", value) for key, value in state.items()},
        lambda state: {key: value.astype(np.float64) for key, value in state.items()},
        lambda state: {f"backbone.{key}": value for key, value in state.items()},
    ],
    ids=[
        "plain",
        "torch",
        "module",
        "checkpoint",
        "torch checkpoint",
        "paddle's table",
        "paddle's pairs",
        "float64",
        "first Paddle",
    ],
)
def test_every_form_is_read(tmp_path, wrap):
    state, model = drawn(), network()
    report = load(model, write(tmp_path / "a.pdparams", wrap(state)))
    assert report.complete and len(report.loaded) == 6
    found = arrays(model)
    assert all(np.array_equal(found[key], state[key]) for key in state)


def test_what_is_saved_is_loaded(tmp_path):
    model, other = network(), network()
    weights.save(model.state_dict(), tmp_path / "folder" / "a.pdparams")
    load(other, tmp_path / "folder" / "a.pdparams")
    assert all(np.array_equal(arrays(model)[key], value) for key, value in arrays(other).items())
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["a.pdparams"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pdparams"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paddle, "save", fail)
    with pytest.raises(OSError, match=r"a.pdparams was not written: No space left on device"):
        weights.save(network().state_dict(), path)
    assert path.read_bytes() == b"old"


@pytest.fixture
def partial(tmp_path):
    """A file in which one weight is missing, one has another shape and one is of something else."""
    state = drawn()
    del state["1.bias"]
    state.update({"0.weight": np.zeros((5, 3, 1, 1), np.float32), "fc.weight": np.zeros(3, np.float32)})
    return write(tmp_path / "a.pdparams", state)


def test_a_strict_load_changes_nothing_and_says_all(partial):
    model = network()
    before = arrays(model)
    with pytest.raises(ValueError, match=r"a.pdparams: these are not the weights of this network") as caught:
        load(model, partial)
    for part in ("4 weights loaded", "1 missing: 1.bias", "1 unexpected: fc.weight", "1 mismatched: 0.weight"):
        assert part in str(caught.value)
    assert "(5, 3, 1, 1) for (2, 3, 1, 1)" in str(caught.value)
    assert all(np.array_equal(arrays(model)[key], before[key]) for key in before)


def test_a_partial_load_takes_what_fits(partial):
    model, state = network(), drawn()
    before = arrays(model)
    report = load(model, partial, strict=False)
    assert report.missing == ("1.bias",) and report.unexpected == ("fc.weight",) and not report.complete
    assert set(report.loaded) == {"0.bias", "1.weight", "1._mean", "1._variance"}
    assert all(np.array_equal(arrays(model)[key], state[key]) for key in report.loaded)
    assert np.array_equal(arrays(model)["0.weight"], before["0.weight"])


def test_a_file_of_which_nothing_fits_is_refused_always(tmp_path):
    path = write(tmp_path / "a.pdparams", {"fc.weight": np.zeros(3)})
    with pytest.raises(ValueError, match=r"0 weights loaded; 6 missing: .*; 1 unexpected: fc.weight"):
        load_pretrained(network(), path)


def test_a_pretrained_file_says_what_was_taken(partial, caplog):
    caplog.set_level("INFO")
    load_pretrained(network(), partial)
    assert "loading pretrained model" in caplog.text and "4 weights loaded; 1 missing: 1.bias" in caplog.text


def test_a_message_lists_ten_keys():
    report = Report(loaded=(), missing=tuple(f"k{i}" for i in range(12)), unexpected=(), mismatched=())
    assert str(report) == f"0 weights loaded; 12 missing: {', '.join(f'k{i}' for i in range(10))} and 2 more"


@pytest.mark.parametrize(("content", "kind"), [([1], "list"), (3.0, "float"), ({"state_dict": 3}, "int")])
def test_other_values_are_no_weights(tmp_path, content, kind):
    with pytest.raises(ValueError, match=f"a.pdparams: expected weights by name, found a {kind}"):
        to_state(read_pickle(write(tmp_path / "a.pdparams", content)), tmp_path / "a.pdparams")


def test_torchs_names_without_a_layer():
    state = {"running_mean": np.zeros(1), "num_batches_tracked": np.zeros(1), "a.b.running_var": np.zeros(1)}
    assert list(torch_to_paddle(state)) == ["_mean", "a.b._variance"]


def test_complex_numbers_are_one_line_with_the_file(tmp_path):
    path = write(tmp_path / "a.pdparams", {**drawn(), "0.bias": np.zeros(2, np.complex64)})
    with pytest.raises(ValueError, match=f"^{path}: 0.bias holds complex numbers, which no network here has$"):
        load(network(), path)
