"""Measures steps in CPU seconds of the whole process tree, wall seconds and peak memory, and keeps the figures as JSON."""

import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Figure:
    """One measured number; `target` is what the house wants of it, if anything."""

    name: str
    value: float
    unit: str
    better: Literal["lower", "higher"] = "lower"
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


@dataclass
class Cost:
    """What a step took: wall and CPU seconds, and the most memory that one Python worker and the JVM held (MiB)."""

    wall: float = 0.0
    cpu: float = 0.0
    worker_mib: float = 0.0
    driver_mib: float = 0.0


@dataclass
class Book:
    """The figures of one subject: printed as they come, written at the end."""

    subject: str
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, target: float | None = None, better: Literal["lower", "higher"] = "lower") -> None:
        """Records and prints one figure."""
        figure = Figure(name, round(value, 4), unit, better, target)
        self.figures.append(figure)
        print(f"{figure.name:60} {figure.value:>12g} {unit:10} {'' if target is None else f'target {target:g}'}", flush=True)

    def write(self) -> Path:
        """Writes bench/results/SUBJECT.json with machine, versions, commit and date."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.subject}.json"
        document = {
            "subject": self.subject,
            "machine": {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()},
            "versions": {name: metadata.version(name) for name in ("pyspark", "delta-spark", "numpy", "numba", "pyarrow")},
            "commit": _commit(),
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "figures": [{**asdict(figure), "met": figure.met} for figure in self.figures],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path


@contextmanager
def measured() -> Iterator[Cost]:
    """Fills in the cost when the block ends. CPU is that of this process and all it started, running or ended."""
    cost, stop = Cost(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(cost, stop), daemon=True)
    wall, cpu = time.monotonic(), _cpu_seconds()
    watcher.start()
    try:
        yield cost
    finally:
        cost.wall, cost.cpu = time.monotonic() - wall, _cpu_seconds() - cpu
        stop.set()
        watcher.join()


def cost_of(step: Callable[[], object]) -> Cost:
    """What one call takes."""
    with measured() as cost:
        step()
    return cost


def _watch(cost: Cost, stop: threading.Event) -> None:
    driver = os.getpid()
    while not stop.wait(0.1):
        for pid, (name, _, memory) in _processes().items():
            if name.startswith("python") and pid != driver:
                cost.worker_mib = max(cost.worker_mib, memory)
            elif name.startswith("java"):
                cost.driver_mib = max(cost.driver_mib, memory)


def _cpu_seconds() -> float:
    return sum(cpu for _, cpu, _ in _processes().values())


def _processes() -> dict[int, tuple[str, float, float]]:
    """This process and its descendants: name, CPU seconds with those of ended children, resident MiB."""
    found: dict[int, tuple[int, str, float, float]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                head, _, tail = (folder / "stat").read_text().rpartition(")")
            except OSError:  # it ended meanwhile
                continue
            values = tail.split()
            cpu = sum(int(value) for value in values[11:15]) / _TICKS
            found[int(folder.name)] = (int(values[1]), head.partition("(")[2], cpu, int(values[21]) * _PAGE / 2**20)
    kept = {os.getpid()}
    while more := {pid for pid, (parent, *_) in found.items() if parent in kept} - kept:
        kept |= more
    return {pid: found[pid][1:] for pid in kept if pid in found}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip()
