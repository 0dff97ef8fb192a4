"""A folder is a registry: what is in it is found by its name, and a file is all that a new one takes."""

import json
import re
import sys

import paddle
import pytest
import tiny_data

from paddlepose import config, models, plugins
from paddlepose.commands import main
from paddlepose.engine.pickles import read_pickle
from paddlepose.models import build_network

TOY = '''
"""A toy."""

from typing import ClassVar

from paddle import Tensor, nn


class Network(nn.Layer):
    """One convolution."""

    def __init__(self, num_joints: int, kernel: int = 1) -> None:
        super().__init__()
        self.layer = nn.Conv2D(3, num_joints, kernel, 4)

    def init_weights(self) -> None:
        nn.initializer.Normal(0.0, 0.01)(self.layer.weight)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.layer(image)]
'''

# What a network may have besides: what the sides of its input are multiples of, and how its weights are known again.
OPTIONAL = """
    multiple: ClassVar[int] = 4

    @staticmethod
    def arguments_from(shapes):
        if list(shapes) != ["layer.weight", "layer.bias"]:
            return None
        joints, _, _, kernel = shapes["layer.weight"]
        return {"num_joints": joints, "kernel": kernel}
"""

EXPERIMENT = """
WORKERS: 0
DATASET: {DATASET: coco, ROOT: data, TRAIN_SET: tiny, TEST_SET: tiny}
MODEL: {NAME: toy, KERNEL: 4, IMAGE_SIZE: [64, 64], HEATMAP_SIZE: [16, 16]}
TRAIN: {BATCH_SIZE: 4, END_EPOCH: 1}
TEST: {USE_GT_BBOX: true}
"""


@pytest.fixture
def add_network(tmp_path, monkeypatch):
    """`add_network(text)` puts a file `toy.py` with the networks, and works in a folder with data and `toy.yaml`."""

    def add(text):
        (tmp_path / "networks").mkdir()
        (tmp_path / "networks" / "toy.py").write_text(text)
        monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "networks")])
        monkeypatch.delitem(sys.modules, "paddlepose.models.toy", raising=False)
        tiny_data.write_coco(tmp_path / "data")
        (tmp_path / "toy.yaml").write_text(EXPERIMENT)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    yield add
    sys.modules.pop("paddlepose.models.toy", None)


def test_names():
    assert plugins.names("datasets") == ["coco", "crowdpose", "mpii", "people"]
    assert "pose_resnet" in plugins.names("models")


@pytest.mark.parametrize(
    ("package", "name", "message"),
    [
        (
            "models",
            "pose_resnt",
            r"no models named 'pose_resnt', did you mean 'pose_resnet'\? There are: .*hrnet",
        ),
        ("datasets", "_disk", "no datasets named '_disk'"),
        ("codecs", "x", "There are: centers, heatmap"),
    ],
)
def test_an_unknown_name(package, name, message):
    with pytest.raises(ValueError, match=message):
        plugins.find(package, name)


def test_a_new_networks_arguments_are_settings(add_network):
    add_network(TOY)
    parsed = config.parse({"MODEL": {"NAME": "toy", "KERNEL": 4}})
    (maps,) = build_network(parsed, 5)(paddle.randn([1, 3, 32, 32]))
    assert maps.shape == [1, 5, 8, 8]
    with pytest.raises(ValueError, match=r"MODEL.KERNL: no such setting, did you mean 'KERNEL'\?"):
        config.parse({"MODEL": {"NAME": "toy", "KERNL": 4}})


WALK = """
train --cfg toy.yaml
valid --cfg toy.yaml --flip-test
infer --cfg toy.yaml --img data/images/000000000001.jpg --bbox 5,5,40,40
export --cfg toy.yaml
valid --cfg toy.yaml --flip-test --model-file output/onnx/posenet.onnx
deploy --model output/onnx/posenet.onnx --img data/images/000000000002.jpg --bbox 5,5,40,40
convert output/coco/toy/toy/final_state.pdparams --cfg toy.yaml --out toy.onnx
convert output/coco/toy/toy/final_state.pdparams --cfg toy.yaml --out toy.pth
convert toy.pth --cfg toy.yaml --out toy.pdparams
summary --cfg toy.yaml --no-time
"""


@pytest.mark.parametrize("text", [TOY, TOY + OPTIONAL], ids=["what it needs", "what it may have"])
def test_a_new_network_is_a_file(add_network, caplog, capsys, text):
    """With a YAML file it goes the whole road, by the ordinary commands."""
    folder = add_network(text)
    caplog.set_level("INFO")
    for line in WALK.strip().splitlines():
        assert main(line.split()) == 0, line
    tables = [message for message in caplog.messages if message.startswith("| Arch |")]
    assert len(tables) == 3 and tables[1] == tables[2]
    for name in ("000000000001", "000000000002"):
        (person,) = json.loads((folder / "output" / "poses" / f"{name}_result.json").read_text())["people"]
        assert len(person["keypoints"]) == 17
    wanted = read_pickle(folder / "output" / "coco" / "toy" / "toy" / "final_state.pdparams")
    found = read_pickle(folder / "toy.pdparams")["state_dict"]
    assert all((found[key] == wanted[key]).all() for key in wanted)
    assert "| toy | 64x64 | 17 | 833 |" in capsys.readouterr().out  # 17 x 3 x 4 x 4 weights and 17 biases


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (TOY, "MODEL.IMAGE_SIZE [62,62] MODEL.HEATMAP_SIZE [15,15]", None),
        (TOY + OPTIONAL, "MODEL.IMAGE_SIZE [62,62] MODEL.HEATMAP_SIZE [15,15]", r"takes multiples of 4, .*\(64, 64\)"),
        (TOY + OPTIONAL, "MODEL.HEATMAP_SIZE [32,32]", r"HEATMAP_SIZE \(32, 32\): toy makes heatmaps of \(16, 16\)"),
    ],
)
def test_a_new_networks_sizes(add_network, capsys, text, settings, message):
    add_network(text)
    assert main(["train", "--cfg", "toy.yaml", *settings.split()]) == (message is not None)
    printed = capsys.readouterr().err
    assert re.search(message, printed) if message else "error" not in printed


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [(TOY, 0, "of no pose network"), (TOY + OPTIONAL, 1, "weights of toy for 5 joints: name their experiment")],
)
def test_a_new_networks_weights_are_known_again(add_network, capsys, text, status, message):
    """By `arguments_from`, where it has that; its experiment is not among those of the clone."""
    folder = add_network(text)
    state = build_network(config.parse({"MODEL": {"NAME": "toy"}}), 5).state_dict()
    paddle.save(state, str(folder / "a.pdparams"))
    assert main(["convert", "a.pdparams", "--out", "b.pdparams"]) == status
    printed = capsys.readouterr()
    assert message in printed.out + printed.err
