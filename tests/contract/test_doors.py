"""The seven stages are declared once; every door shows exactly them, in order, under the same names."""

import ast
import re
from pathlib import Path

import pytest
from kveil.cli import commands
from kveil.pipeline import STAGES
from kveil.tables import dictionary, schema

ROOT = Path(__file__).parent.parent.parent
NAMES = [stage.name for stage in STAGES]
LIB = sorted((ROOT / "lib").rglob("*.py"))


def test_the_stages_are_the_missions_in_its_order():
    assert NAMES == ["collect", "clean", "anonymize", "train", "evaluate", "deploy", "report"]


def test_every_stage_has_its_folder_command_job_and_target():
    for name in NAMES:
        assert (ROOT / "lib" / "kveil" / name / "stage.py").is_file()
        assert name in commands.commands
    assert sorted(path.stem for path in (ROOT / "jobs").glob("*.py")) == sorted([*NAMES, "pipeline"])
    assert f"STAGES := {' '.join(NAMES)}\n" in (ROOT / "Makefile").read_text()


def test_the_readme_names_the_stages_in_order():
    rows = re.findall(r"^\| \d (\w+) \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert rows == NAMES


def test_databricks_runs_the_stages_in_order():
    text = (ROOT / "resources" / "kveil.job.yml").read_text()
    assert re.findall(r"task_key: (\w+)", re.sub(r"depends_on:\n\s+- task_key: \w+", "", text)) == NAMES


def test_every_table_is_written_by_a_stage_or_by_the_frame():
    written = {table.pattern for stage in STAGES for table in stage.writes}
    inner = ("staging", "release_secret", "frequencies", "candidate", "trajectories", "features", "predictions")
    inner += ("{source}_repaired", "{source}_repaired_in_turn", "{source}_facts", "{source}_once")
    inner += ("{source}_incoming", "aggregate_groups", "aggregate_secret", "compared", "tried", "overlaps")
    inner += ("published_again",)
    inside_a_stage = {"{policy}_" + name for name in inner} | {"{policy}_{source}_landing"}
    frame = {"run_log", "keys", "{policy}_erased", "{policy}_erasing", "erasure_log", "retention_log"}
    frame |= {"profile_columns", "profile_values", "profile_dependencies"}
    frame |= {"reveal_log", "key_rotations"}
    assert {table.pattern for table in schema.TABLES} == written | inside_a_stage | frame


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.pattern)
def test_a_table_of_people_says_how_they_are_found_in_it(table):
    """Erasure and access go by this declaration: a table of a zone with people that lacks it would be forgotten by both."""
    has_people = table.zone in ("raw", "clean", "restricted")
    assert (table.personal is not None) == has_people
    if table.personal is not None and table.personal.how in ("column", "json"):
        assert table.personal.column in table.names
    if table.personal is None:
        assert not {"person", "kveil_person"} & set(table.names) or table.pattern in ("budget_ledger", "budget_sources")


def test_a_stage_reads_only_what_an_earlier_one_writes():
    # Profiles are written by a command of their own, whenever somebody asks for one.
    written = {table.pattern for table in (schema.PROFILE_COLUMNS, schema.PROFILE_VALUES, schema.PROFILE_DEPENDENCIES)}
    for stage in STAGES:
        assert {table.pattern for table in stage.reads} <= written
        written |= {table.pattern for table in stage.writes}


def test_the_tables_page_is_fresh():
    assert (ROOT / "docs" / "tables.md").read_text() == dictionary.page()


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.stem)
def test_jobs_are_thin(job):
    assert len(job.read_text().splitlines()) <= 20


@pytest.mark.parametrize("path", LIB, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_spark_connect_lacks(path):
    """rdd, sparkContext, the JVM and caching do not exist on Connect or serverless; whole tables never reach the driver."""
    forbidden = {
        "rdd",
        "sparkContext",
        "_jvm",
        "_jdf",
        "_sc",
        "cache",
        "persist",
        "toPandas",
        "broadcast_variable",
        "accumulator",
    }
    tree = ast.parse(path.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not forbidden & used


@pytest.mark.parametrize("path", LIB, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_room(path):
    assert len(path.read_text().splitlines()) <= 400


def test_only_the_session_sets_spark_settings():
    for path in LIB:
        text = path.read_text()
        if path.name not in ("session.py", "jars.py"):
            assert "spark.conf.set" not in text
            assert "SparkSession.builder" not in text
