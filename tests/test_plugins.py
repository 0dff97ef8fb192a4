"""A folder is a registry: what is in it is found by its name, and a file is all that a new one takes."""

import paddle
import pytest

from paddlepose import config, models, plugins
from paddlepose.models import build_network

TOY = '''
"""A toy."""

from paddle import Tensor, nn


class Network(nn.Layer):
    """One convolution."""

    def __init__(self, num_joints: int, kernel: int = 1) -> None:
        super().__init__()
        self.layer = nn.Conv2D(3, num_joints, kernel, 4)

    def init_weights(self) -> None:
        pass

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.layer(image)]
'''


def test_names():
    assert plugins.names("datasets") == ["coco", "mpii"]
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
        ("codecs", "x", "There are: heatmap"),
    ],
)
def test_an_unknown_name(package, name, message):
    with pytest.raises(ValueError, match=message):
        plugins.find(package, name)


def test_a_new_network_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    parsed = config.parse({"MODEL": {"NAME": "toy", "KERNEL": 4}})
    (maps,) = build_network(parsed, 5)(paddle.randn([1, 3, 32, 32]))
    assert maps.shape == [1, 5, 8, 8]
    with pytest.raises(ValueError, match=r"MODEL.KERNL: no such setting, did you mean 'KERNEL'\?"):
        config.parse({"MODEL": {"NAME": "toy", "KERNL": 4}})
