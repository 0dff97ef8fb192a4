"""The log of a run, on the screen and in a file."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

from paddlepose import cpu
from paddlepose.engine import distributed
from paddlepose.experiment import Config

_LOG = logging.getLogger(__name__)


def start_log(folder: Path, name: str, config: Config) -> None:
    """Begin the log with the command line, the settings and the machine; the first of several processes alone logs.

    The folder gets the file of that name.
    """
    if distributed.rank():
        logging.getLogger().setLevel(logging.ERROR)
        return
    folder.mkdir(parents=True, exist_ok=True)
    _log_to_file(folder / name)
    for text in (" ".join(sys.argv), config.dump(), cpu.describe()):
        _LOG.info("%s", text, extra={"for_file": text.count("\n") > 1})  # the settings


class _LogFile(logging.FileHandler):
    """A file that a full disk ends, with one line on the screen instead of a traceback for each line of the log."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it once, and take no more lines."""
        del record
        self.setLevel(logging.CRITICAL + 1)
        _LOG.warning("%s ends here (%s); the log goes on on the screen", self.baseFilename, sys.exc_info()[1])


def _log_to_file(path: Path) -> None:
    """Let the log go to a file too, and no longer to that of a run before in this process."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _LogFile)]:
        root.removeHandler(handler)
        with suppress(OSError):  # what a full disk would not take is lost already
            handler.close()
    handler = _LogFile(path)
    handler.setFormatter(logging.Formatter("%(asctime)-15s %(message)s"))
    root.addHandler(handler)
