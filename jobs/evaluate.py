"""Stage 5, evaluate: judges models and release. Use: spark-submit jobs/evaluate.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
