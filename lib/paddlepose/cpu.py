"""Settings that make Paddle fast on a CPU; they must stand before Paddle is imported, so the package makes them itself.

Measured in docs/benchmarks.md: a training step takes a third of the time that Paddle's own settings give on AMD.
"""

import ctypes
import os
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def set_environment() -> None:
    """Set what the user's environment leaves open: threads of the matrix library, and AVX2 in it on AMD."""
    processes = int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # Linux; others
    os.environ.setdefault("MKL_NUM_THREADS", str(max(1, cores // processes)))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's; others would spin after its small products
    os.environ.setdefault("KMP_BLOCKTIME", "1")  # ms; idle threads soon leave their core to the data loader's workers
    if _is_amd():
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")  # else Paddle's matrix library takes its slowest path


def describe() -> str:
    """The settings in force, for the log."""
    names = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_BLOCKTIME", "MKL_DEBUG_CPU_TYPE")
    return "CPU settings: " + ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)


def keep_freed_memory() -> None:
    """Let a process keep what it frees, not return it to the system at each step of a network (glibc only)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _is_amd() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "AuthenticAMD" in cpuinfo.read_text()[:4096]
