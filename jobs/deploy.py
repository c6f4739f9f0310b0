"""Stage 6, deploy: registers the champion if the gate agrees. Use: spark-submit jobs/deploy.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["deploy", *sys.argv[1:]])
