"""`paddlepose valid`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["valid", *sys.argv[1:]]))
