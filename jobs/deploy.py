"""Stage 6, deploy: lets the gate decide and registers the champion. Use: spark-submit jobs/deploy.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["deploy", *sys.argv[1:]])
