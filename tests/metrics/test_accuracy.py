"""The accuracy that training logs."""

import numpy as np
import pytest

from paddlepose.metrics.accuracy import accuracy, joint_accuracy


@pytest.mark.parametrize("case", range(3))
def test_accuracy_golden(golden, case):
    """goldens/topdown/accuracy.npz: square, upright and wide maps."""
    data = golden("topdown/accuracy.npz")
    output, target = data[f"in__output_{case}"], data[f"in__target_{case}"]
    mean, count = accuracy(output, target)
    assert mean == pytest.approx(float(data[f"out__avg_{case}"]), abs=1e-12)
    assert count == data[f"out__cnt_{case}"]
    np.testing.assert_allclose(joint_accuracy(output, target), data[f"out__acc_{case}"][1:], atol=1e-12)


def test_no_joint_counts():
    assert accuracy(np.ones((1, 2, 8, 8)), np.zeros((1, 2, 8, 8))) == (0.0, 0)
