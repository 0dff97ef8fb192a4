"""Damaged input of every kind is read, or refused in one line that names its file; no crash, no hang, no flood.

`make fuzz` tries 2,000 of each kind: FUZZ_CASES and FUZZ_SEED in the environment.
"""

import os
import resource
import time
import zlib

import numpy as np
import pytest
from kinds import KINDS

from paddlepose.commands import report

CASES, SEED = int(os.environ.get("FUZZ_CASES", "100")), int(os.environ.get("FUZZ_SEED", "0"))
SLOWEST = 20  # seconds for one input
MOST_MEMORY = 2 * 2**20  # kilobytes that the process may ever have, if it had not more before


@pytest.mark.parametrize("name", KINDS)
def test_damaged_input_is_read_or_refused_in_one_line(name, tmp_path, capsys):
    kind = KINDS[name](tmp_path)
    kind.read(kind.path)  # as it is, it is right
    refused = 0
    most_memory = max(MOST_MEMORY, peak_memory() + 1)
    for case in range(CASES):
        kind.change(np.random.default_rng((SEED, zlib.crc32(name.encode()), case)))
        start = time.monotonic()
        try:
            kind.read(kind.path)
        except (ValueError, OSError) as error:
            refused += 1
            capsys.readouterr()
            report(error)
            lines = capsys.readouterr().err.splitlines()
            assert lines, f"case {case}: an empty message"
            assert all(line.startswith("error: ") and str(tmp_path) in line for line in lines), f"case {case}: {error}"
        except Exception as error:
            raise AssertionError(f"case {case}, seed {SEED}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - start < SLOWEST, f"case {case}"
        assert peak_memory() < most_memory, f"case {case}"
    print(f"{name}: {CASES} cases, {refused} refused, seed {SEED}")  # noqa: T201 - for `make fuzz`
    assert refused, "no change was noticed: nothing is tried here"


def peak_memory() -> int:
    """Kilobytes that this process had at most so far; other tests in it may have taken more than the bound here."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
