"""make bench-noise: noise on rows, beside copying the table, and aggregates, beside the plain groupBy.

python -m bench.noise [--rows MILLIONS ...] [--repeats N] [--peer]
"""

import argparse
import tempfile
from pathlib import Path

from kveil.session import session

from bench import aggregates, row_noise
from bench.measure import Book


def main() -> None:
    """Runs what was asked for and writes bench/results/noise.json."""
    parser = argparse.ArgumentParser(prog="bench.noise")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 10], help="millions of transactions")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="measure PipelineDP as well, in an environment that is made for it")
    asked = parser.parse_args()
    book = Book("noise")
    row_noise.samplers(book, asked.repeats)
    spark = session("kveil-bench")
    with tempfile.TemporaryDirectory() as folder:
        for millions in asked.rows:
            row_noise.measure(book, row_noise.Job(spark, Path(folder), millions * 1_000_000), asked.repeats)
    aggregates.measure_all(book, tuple(millions * aggregates.MILLION for millions in asked.rows), asked.peer)
    print(book.write())


if __name__ == "__main__":
    main()
