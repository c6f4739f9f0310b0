"""Stage 1, collect: reads the sources of a policy. Use: spark-submit jobs/collect.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["collect", *sys.argv[1:]])
