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

Process = tuple[int, int]
"""A process by its id and start time, since ids return."""


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

    def add(
        self, name: str, value: float, unit: str, target: float | None = None, better: Literal["lower", "higher"] = "lower"
    ) -> None:
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
            "machine": {
                "system": platform.system(),
                "processor": _processor(),
                "cores": os.cpu_count(),
                "python": platform.python_version(),
            },
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
    before = {process: cpu for process, (_, cpu, _) in _processes().items()}
    last: dict[Process, float] = {}
    watcher = threading.Thread(target=_watch, args=(cost, last, stop), daemon=True)
    wall = time.monotonic()
    watcher.start()
    try:
        yield cost
    finally:
        cost.wall = time.monotonic() - wall
        stop.set()
        watcher.join()
        last |= {process: cpu for process, (_, cpu, _) in _processes().items()}
        cost.cpu = sum(cpu - before.get(process, 0.0) for process, cpu in last.items())


def cost_of(step: Callable[[], object]) -> Cost:
    """What one call takes."""
    with measured() as cost:
        step()
    return cost


def _watch(cost: Cost, last: dict[Process, float], stop: threading.Event) -> None:
    """Keeps the last CPU seconds seen of every process: those of one that is killed reach no parent."""
    driver = os.getpid()
    while not stop.wait(0.1):
        for process, (name, cpu, memory) in _processes().items():
            last[process] = cpu
            if name.startswith("python") and process[0] != driver:
                cost.worker_mib = max(cost.worker_mib, memory)
            elif name.startswith("java"):
                cost.driver_mib = max(cost.driver_mib, memory)


def _processes() -> dict[Process, tuple[str, float, float]]:
    """This process and its descendants: name, CPU seconds of its own, resident MiB."""
    found: dict[int, tuple[int, Process, str, float, float]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                head, _, tail = (folder / "stat").read_text().rpartition(")")
            except OSError:  # it ended meanwhile
                continue
            values = tail.split()
            cpu = (int(values[11]) + int(values[12])) / _TICKS
            process = int(folder.name), int(values[19])
            found[process[0]] = (int(values[1]), process, head.partition("(")[2], cpu, int(values[21]) * _PAGE / 2**20)
    kept = {os.getpid()}
    while more := {pid for pid, (parent, *_) in found.items() if parent in kept} - kept:
        kept |= more
    return {found[pid][1]: found[pid][2:] for pid in kept if pid in found}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()
