"""make bench-generalize: information loss on Adult and time on synthetic transactions, beside what others reach.

    python -m bench.generalize [--adult FOLDER] [--rows MILLIONS ...] [--repeats N]

FOLDER (or KVEIL_BENCH_ADULT) holds adult.csv (`;`, header) and hierarchies/adult_hierarchy_NAME.csv as ARX distributes
them; without it the part on Adult is left out.
"""

import argparse
import os
import tempfile
from pathlib import Path

from kveil.session import session

from bench import full_domain, loss, speed
from bench.measure import Book


def main() -> None:
    """Runs what was asked for and writes bench/results/generalize.json."""
    parser = argparse.ArgumentParser(prog="bench.generalize")
    parser.add_argument("--adult", default=os.environ.get("KVEIL_BENCH_ADULT"))
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 10], help="millions of transactions")
    parser.add_argument("--wide", type=int, default=5, help="millions of transactions with 8 quasi-identifiers; 0 for none")
    parser.add_argument("--large", type=int, default=0, help="millions of transactions generalized once, for memory; 0 for none")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    book = Book("generalize")
    if asked.adult:
        loss.measure(book, Path(asked.adult))
        full_domain.measure(book, Path(asked.adult))
    spark = session("kveil-bench")
    six = speed.settings_of(speed.SIX, ["label"])
    with tempfile.TemporaryDirectory() as folder:
        for millions in asked.rows:
            for shown in (["label"], ["label", "bounds", "representative"]):
                work = speed.Workload(spark, Path(folder), millions * 1_000_000, speed.settings_of(speed.SIX, shown))
                speed.measure(book, work, asked.repeats)
        if asked.wide:
            work = speed.Workload(spark, Path(folder), asked.wide * 1_000_000, speed.settings_of(speed.EIGHT, ["label"]))
            speed.measure(book, work, 1)
        if asked.large:
            speed.measure_once(book, speed.Workload(spark, Path(folder), asked.large * 1_000_000, six))
    print(book.write())


if __name__ == "__main__":
    main()
