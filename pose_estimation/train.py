"""`paddlepose train`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["train", *sys.argv[1:]]))
