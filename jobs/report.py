"""Stage 7, report: writes the report. Use: spark-submit jobs/report.py POLICY [--lake LAKE] [--force]."""

import sys

from kveil.cli import main

if __name__ == "__main__":
    main(["report", *sys.argv[1:]])
