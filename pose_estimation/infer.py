"""`paddlepose infer`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["infer", *sys.argv[1:]]))
