"""Settings for Paddle on a CPU stand before it is imported, and never replace the user's."""

import os
import subprocess
import sys

import pytest

from paddlepose import cpu

NAMES = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_BLOCKTIME", "MKL_DEBUG_CPU_TYPE")


@pytest.fixture
def clean(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("amd", [True, False])
def test_only_amd_is_told_its_processor(clean, amd):
    clean.setattr(cpu, "_is_amd", lambda: amd)
    cpu.set_environment()
    assert os.environ.get("MKL_DEBUG_CPU_TYPE") == ("5" if amd else None)
    assert os.environ["MKL_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))


def test_the_users_own_settings_stay(clean):
    clean.setenv("MKL_NUM_THREADS", "7")
    clean.setenv("KMP_BLOCKTIME", "100")
    cpu.set_environment()
    assert (os.environ["MKL_NUM_THREADS"], os.environ["KMP_BLOCKTIME"]) == ("7", "100")
    assert "MKL_NUM_THREADS=7" in cpu.describe()


def test_importing_the_package_sets_them():
    environment = {key: value for key, value in os.environ.items() if key not in NAMES}
    code = "import paddlepose, os, sys; assert 'paddle' not in sys.modules; print(os.environ['MKL_NUM_THREADS'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(len(os.sched_getaffinity(0))), done.stderr
