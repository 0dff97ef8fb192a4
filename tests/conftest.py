"""What several tests share: where the reference numbers and the real pictures are, if they are here at all."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / "shared"


def _need(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs {path}, which is not part of a clone")
    return path


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict]:
    """`golden("topdown/affine.npz")`: the arrays or the JSON of one golden; the test is skipped where it is absent."""

    def read(name: str) -> dict:
        path = _need(SHARED / "goldens" / name)
        return json.loads(path.read_text()) if path.suffix == ".json" else dict(np.load(path))

    return read


@pytest.fixture(scope="session")
def golden_weights() -> ModuleType:
    """The module that makes the weights with which the goldens were computed."""
    sys.path.insert(0, str(_need(SHARED / "goldens")))
    import weights

    return weights


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """`real_data("coco_mini")`: the folder of a few real pictures; the test is skipped where it is absent."""
    return lambda name: _need(SHARED / "data" / name)


@pytest.fixture(scope="session")
def fault() -> Callable[[str], Path]:
    """`fault("cards/kind.onnx")`: one of the small inputs that fail; the test is skipped where it is absent."""
    return lambda name: _need(SHARED / "cases" / "faults" / name)


@pytest.fixture(scope="session")
def reported() -> Callable[[str], Path]:
    """`reported("videos")`: small inputs as people have reported them; the test is skipped where they are absent."""
    return lambda name: _need(SHARED / "cases" / "reports" / name)


@pytest.fixture(scope="session")
def golden_inputs() -> ModuleType:
    """The module that makes the people and maps of the bottom-up goldens."""
    sys.path.insert(0, str(_need(SHARED / "goldens" / "bottomup")))
    import inputs

    return inputs
