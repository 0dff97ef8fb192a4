"""A folder in which one training at a time writes."""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "train.lock"

_LOG = logging.getLogger(__name__)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Block in which no other process trains in a folder; where this process dies, the system ends that too.

    Raises ValueError: another process trains there; the message says which, and since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock's, loader processes do not inherit it
        except (BlockingIOError, PermissionError):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ValueError(
                f"{folder}: {holder} trains here: wait for its end, stop it, or name another OUTPUT_DIR"
            ) from None
        except OSError as error:  # a file system without locks
            _LOG.warning("%s cannot be locked (%s): let no other training write there", folder, error.strerror)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')},")
        file.flush()
        yield
