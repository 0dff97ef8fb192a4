"""The commands: one file a command, with `main(argv)`; `paddlepose NAME` and `pose_estimation/NAME.py` run it."""

import ast
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from paddlepose import __version__, plugins
from paddlepose.core.files import MistakesError, visible

# The shell's exit statuses for a program ended by Ctrl-C, by SIGTERM, and by a closed pipe.
_STOPPED, _TERMINATED, _NOBODY_READS = 130, 143, 141


class _Terminated(KeyboardInterrupt):
    """SIGTERM came; whatever cleans up after Ctrl-C cleans up after it too."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Inside, SIGTERM stops this process as Ctrl-C does, so that half-written files are cleaned up."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other set a handler
        yield
        return
    own = os.getpid()

    def stop(number: int, frame: object) -> None:
        """End a worker process at once, which has inherited this, and the process itself in good order."""
        if os.getpid() != own:
            os._exit(_TERMINATED)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _ToScreen(logging.StreamHandler):
    """Log lines to the screen, or to nowhere once nobody reads them; the work goes on.

    Those that are `for_file` go to a log file alone, unless `shows_all`.
    """

    shows_all = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line goes to the screen."""
        return super().filter(record) and (self.shows_all or not getattr(record, "for_file", False))

    def handleError(self, record: logging.LogRecord) -> None:
        """Take a closed pipe as no error."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            _forget_stdout()
        else:
            super().handleError(record)


def _forget_stdout() -> None:
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names: its exit status.

    A mistake of the user's is one line on the error stream and status 1.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"paddlepose {__version__}")
        return 0
    # OpenCV's remarks on files that it cannot read: the errors here say it in a line. It looks when it is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    for noise in ("No ccache found", "When training, we now always track"):  # Paddle says so at each start
        warnings.filterwarnings("ignore", message=noise)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_ToScreen(sys.stdout)])
    try:
        command = plugins.find("commands", name)  # may import Paddle, which takes SIGTERM for itself
        with _terminable():
            status = command.main(arguments)
            sys.stdout.flush()
            return status
    except KeyboardInterrupt as stop:
        print("\nstopped", file=sys.stderr)
        return _TERMINATED if isinstance(stop, _Terminated) else _STOPPED
    except BrokenPipeError:  # as of `paddlepose summary | head -1`
        _forget_stdout()
        return _NOBODY_READS
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        report(error)
        return 1


def _help() -> str:
    """What each command is for, from the first line of its file: nothing is imported for it."""
    names = plugins.names("commands")
    lines = []
    for name in names:
        title = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text())).splitlines()[0]
        purpose = re.sub(r"^`[^`]*`: |: `.*$|\.$", "", title)
        lines.append(f"  {name:{max(map(len, names))}}  {purpose[0].upper()}{purpose[1:]}")
    head, *tail = "usage: paddlepose COMMAND [options]", "", "paddlepose COMMAND --help lists the options of a command"
    return "\n".join([head, "", *lines, *tail])


def report(error: Exception) -> None:
    """Print what a user has to know of an error to the error stream."""
    for line in error.lines if isinstance(error, MistakesError) else [_explain(error)]:
        print(f"error: {visible(line)}", file=sys.stderr)


def show_all() -> None:
    """Have also those log lines on the screen that else only a log file gets."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _ToScreen):
            handler.shows_all = True


def keep_stdout_for_results() -> None:
    """Have the log on the error stream from now on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _ToScreen):
            handler.setStream(sys.stderr)


def _explain(error: Exception) -> str:
    """The message; for a file that the system refuses its name and the reason, for a package how to get it."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        extra = "deploy" if error.name == "onnxruntime" else "train"
        return f"this command needs the package {error.name}: pip install 'paddlepose[{extra}]'"
    return str(error)
