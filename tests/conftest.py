"""What tests share: one Spark session, a lake per test, and small policies."""

import os
from datetime import datetime, timezone
from io import StringIO

import pytest
from hypothesis import settings
from kveil.context import Context
from kveil.log import Progress
from kveil.settings import Policy
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

# Two cores: enough for two partitions to meet, and what small machines have.
os.environ["KVEIL_MASTER"] = "local[2]"

# The first example that reaches a compiled kernel waits for the compiler.
settings.register_profile("kveil", deadline=None)
settings.load_profile("kveil")

SMALL_TABLES = {
    # Compiling a query costs more than running it on a hundred rows, a quarter of the suite's time; what runs in a process
    # of its own (tests/e2e) and bench/ are as they are in use.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # Planning each step of a query anew when the one before it is done takes a fifth of a small query's time; two partitions
    # are then as many as two cores need.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}

NOW = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The session of all Spark tests; starting one takes seconds, so it is shared and never stopped in between."""
    from kveil.session import session

    # Chosen before the session makes its own folder the place of temporary files.
    tmp_path_factory.getbasetemp()
    started = session("kveil-tests")
    for key, value in SMALL_TABLES.items():
        started.conf.set(key, value)
    return started


@pytest.fixture
def store(spark, lake):
    """The tables of this test alone."""
    return TableStore(spark, lake)


@pytest.fixture(scope="module")
def module_store(spark, tmp_path_factory):
    """The tables of one module's tests, for what is made once and looked at often."""
    return TableStore(spark, Lake.at(str(tmp_path_factory.mktemp("lake"))))


@pytest.fixture
def lake(tmp_path):
    """An empty lake of this test alone."""
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def policy_of():
    """Makes a policy of sources, clean and consent; what comes after clean is filled in and plays no part."""

    everyone = {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2010-01-01", "last": "2011-01-01"}}

    def make(sources, clean=None, consent=None, person="person", **law):
        base = next(iter(sources))
        # Every declared column is released, so that all are collected.
        named = {column: "asked for" for source in sources.values() for column in source["columns"] if column != "date"}
        release = {
            "release": "rows", "k": 2, "partition_by": ["split"], "quasi_identifiers": {"date": {"kind": "date"}},
            "insensitive": named,
        }  # fmt: skip
        return Policy.model_validate(
            {
                "name": "bank",
                "purpose": "scoring",
                "person": person,
                "sources": sources,
                "consent": consent or everyone,
                "law": law,
                "clean": {"table": "rows", "base": base, "time": "at", **(clean or {})},
                "anonymize": release,
                "train": {"label": "label", "features": ["date"], "logistic_regression": {}},
                "deploy": {"model": "champion"},
            }
        )

    return make


@pytest.fixture
def context(spark, lake):
    """Makes the context of a stage for a policy, in this test's lake."""
    store = TableStore(spark, lake)

    def make(policy, stage="collect", now=NOW, build="b1"):
        return Context(policy, store, run_id="r1", now=now, progress=Progress(StringIO()), build=build, stage=stage)

    return make
