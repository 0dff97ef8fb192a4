"""What is believed of a file at most. Beyond it the file is damaged, or would take memory or time without end."""

MOST_SIDE = 8192  # pixels a side of a network's input: far beyond any network, and still below a gigabyte
MOST_JOINTS = 10_000  # of a skeleton; whole bodies with faces and hands have some hundred
MOST_PEOPLE = 10_000  # that a bottom-up codec looks for in one picture; crowds have some hundred
MOST_PIXELS = 200_000_000  # of an image: beyond any camera, and below where OpenCV's counts of bytes overflow
MOST_BYTES = 2**30  # of an archive's member: images and arrays of scores are far smaller
MOST_SETTINGS = 100_000  # values of a YAML file, counting those that aliases repeat; experiments have some 100
MOST_NESTING = 100  # lists and sections of a YAML file within each other; experiments have four
MOST_SCALE = 8.0  # of a picture's side for a bottom-up network; published results take up to 2
MOST_THREADS = 1024  # of a network; more than any machine has cores, and threads take memory
