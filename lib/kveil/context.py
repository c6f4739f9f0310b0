"""What a stage is given: the policy, the tables, the run's identity and a voice."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from kveil.log import Progress
from kveil.settings import Policy
from kveil.tables.declaration import Table, TableRef
from kveil.tables.store import TableStore


@dataclass(frozen=True)
class StageResult:
    """How a stage ended. `refusal` is the sentence of a gate that said no; `valid_until` when time makes it stale.

    `balance` says where the rows went that were read, as a sum.
    """

    rows_in: int | None = None
    rows_out: int | None = None
    valid_until: datetime | None = None
    refusal: str = ""
    balance: str = ""


@dataclass(frozen=True)
class Context:
    """One stage's view of one run. `build` identifies the stage's inputs and settings: the same work, the same build."""

    policy: Policy
    store: TableStore
    run_id: str
    now: datetime
    progress: Progress
    build: str = ""
    stage: str = ""
    reads: dict[str, int] = field(default_factory=dict)

    @property
    def spark(self) -> SparkSession:
        """The run's session."""
        return self.store.spark

    @property
    def files(self) -> Path:
        """The folder for what is not a table: reports and MLflow's store."""
        return self.store.lake.files

    def step(self, what: str) -> Any:
        """A timed progress line of this stage; use as `with ctx.step("...") as note`."""
        return self.progress.step(self.stage, what)

    def read(self, table: Table, source: str = "") -> DataFrame:
        """A policy's table, pinned to the version that this stage's run-log row names where it was there at the start."""
        ref = table.of(self.policy, source)
        return self.store.read(ref, self.reads.get(str(ref)))

    def ref(self, table: Table) -> TableRef:
        """The policy's table of this declaration."""
        return table.of(self.policy)

    def rows(self, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
        """Rows for a control table; policy, build, run and time are filled in where the table has them."""
        common = {"policy": self.policy.name, "build": self.build, "run_id": self.run_id, "written_at": self.now}
        return self.store.rows(table, [{**common, **row} for row in rows])
