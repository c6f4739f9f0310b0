"""All seven stages in order. Use: spark-submit jobs/pipeline.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
