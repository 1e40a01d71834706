"""Which companies want to know who is typing."""

from pathlib import Path

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunSQL


class Migration(Base):
    """Runs the SQL file of the same name."""

    dependencies = [("models", "0009_owner")]
    operations = [RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
