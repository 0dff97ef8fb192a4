"""`paddlepose export`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["export", *sys.argv[1:]]))
