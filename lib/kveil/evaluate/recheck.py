"""The release held against the clean table: which people stand behind each published class.

The clean rows are sent through the frozen generalizer and counted per published label. Every published class must find
exactly its own number of clean rows again, of at least k people: rows that were invented, dropped or swapped show here,
after the link between staging and people is gone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.model.columns import from_arrow, generalizer_inputs
from kveil.model.generalizer import Generalizer
from kveil.settings.anonymize import Anonymize

_PERSON = "_person"


def recheck_metrics(
    clean: DataFrame, released: DataFrame, person: str, settings: Anonymize, generalizers: Mapping[str, Generalizer]
) -> list[dict[str, Any]]:
    """Classes, people in the smallest one, and rows that only one of the two tables has; one generalizer per split."""
    shown = [*settings.partition_by, *settings.quasi_identifiers]
    labelled = _labelled(clean, person, settings, generalizers)
    found = labelled.groupBy(*shown).agg(F.count(F.lit(1)).alias("found"), F.countDistinct(_PERSON).alias("people"))
    published = released.groupBy(*shown).agg(F.count(F.lit(1)).alias("published"))
    # A union groups null with null, which a join of labels would not.
    both = found.unionByName(published, allowMissingColumns=True).groupBy(*shown)
    classes = both.agg(*[F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in ("found", "people", "published")])
    difference = F.col("published") - F.col("found")
    # Rows that gave a history away are gone from their class; more rows than the clean table has are still invented ones.
    mismatch = F.greatest(difference, F.lit(0)) if settings.trajectory else F.abs(difference)
    row = classes.agg(
        F.count_if(F.col("published") > 0).alias("classes"),
        F.min(F.when(F.col("published") > 0, F.col("people"))).alias("people"),
        F.sum(mismatch).alias("mismatch"),
    ).first()
    assert row is not None  # an aggregation without groups has one row
    smallest, k = int(row["people"] or 0), settings.k
    return [
        {"metric": "recheck_classes", "scope": "", "value": float(row["classes"])},
        {"metric": "recheck_people_min", "scope": "", "value": float(smallest), "threshold": float(k), "met": smallest >= k},
        {
            "metric": "recheck_rows_mismatch",
            "scope": "",
            "value": float(row["mismatch"] or 0),
            "threshold": 0.0,
            "met": not row["mismatch"],
        },
    ]


def _labelled(clean: DataFrame, person: str, settings: Anonymize, generalizers: Mapping[str, Generalizer]) -> DataFrame:
    """Partition columns, labels and person of the clean rows whose partition was released."""
    inputs = generalizer_inputs(settings)
    shown = [*settings.partition_by, *settings.quasi_identifiers]
    types = {**dict(clean.dtypes), **dict.fromkeys(settings.quasi_identifiers, "string"), _PERSON: "string"}
    schema = ", ".join(f"`{name}` {types[name]}" for name in [*shown, _PERSON])

    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for split, generalizer in generalizers.items():
                yield _labels_of(batch, split, generalizer)

    def _labels_of(batch: pa.RecordBatch, split: str, generalizer: Generalizer) -> pa.RecordBatch:
        part = batch.filter(pa.compute.equal(batch.column("split"), split))
        part = part.filter(pa.array(generalizer.covers(from_arrow(part, inputs)), pa.bool_()))
        labels = generalizer.labels(from_arrow(part, inputs)) if part.num_rows else {}
        arrays = [
            pa.array(labels.get(name, []), pa.string()) if name in settings.quasi_identifiers else part.column(name)
            for name in shown
        ]
        return pa.RecordBatch.from_arrays([*arrays, part.column(_PERSON)], names=[*shown, _PERSON])

    used = [*settings.partition_by, *settings.quasi_identifiers]
    rows = clean.where(F.col(person).isNotNull()).select(*used, F.col(person).cast("string").alias(_PERSON))
    return rows.mapInArrow(label, schema)
