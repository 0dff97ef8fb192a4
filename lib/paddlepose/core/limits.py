"""What is believed of a file at most. Beyond it the file is damaged, or would take memory or time without end."""

MOST_SIDE = 8192  # pixels a side of a network's input: far beyond any network, and still below a gigabyte
MOST_JOINTS = 10_000  # of a skeleton; whole bodies with faces and hands have some hundred
MOST_PEOPLE = 10_000  # that a bottom-up codec looks for in one picture; crowds have some hundred
