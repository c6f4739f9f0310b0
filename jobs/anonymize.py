"""Stage 3, anonymize: publishes a checked release. Use: spark-submit jobs/anonymize.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["anonymize", *sys.argv[1:]])
