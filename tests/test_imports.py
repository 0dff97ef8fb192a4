"""What a machine without Paddle imports must do without the trainer's packages."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
for name in ("paddle", "pydantic", "yaml", "scipy", "tqdm", "onnx", "faster_coco_eval", "visualdl"):
    sys.modules[name] = None
for package in ("paddlepose.core", "paddlepose.codecs"):
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
import paddlepose.runtime, paddlepose.commands.deploy
"""


def test_the_deploy_needs_none_of_the_trainers_packages():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
