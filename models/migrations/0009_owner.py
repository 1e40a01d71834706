"""The owner's hand, and how each company wants its answers to come."""

from pathlib import Path

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunSQL


class Migration(Base):
    """Runs the SQL file of the same name."""

    dependencies = [("models", "0007_content"), ("models", "0008_merges")]
    operations = [RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
