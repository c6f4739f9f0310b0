"""Stage 2, clean: makes the clean table. Use: spark-submit jobs/clean.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["clean", *sys.argv[1:]])
