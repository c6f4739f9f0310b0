"""Stage 4, train: trains models on the release. Use: spark-submit jobs/train.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
