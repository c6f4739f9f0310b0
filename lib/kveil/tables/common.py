"""Columns that many tables have."""

from kveil.tables.declaration import Column

POLICY = Column("policy", "string", "the policy's name")
BUILD = Column("build", "string", "hash of the stage's inputs and policy section; the same work has the same build")
RUN = Column("run_id", "string", "the run that wrote the row")
AT = Column("written_at", "timestamp", "when the row was written, UTC")
RELEASE_ID = Column("release_id", "string", "hash of policy, data and guarantee; a repeated release has the same id")
