"""`paddlepose summary`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["summary", *sys.argv[1:]]))
