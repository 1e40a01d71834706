"""One person, one customer: a number and a LID that turn out to be one become one row."""

from pathlib import Path

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunSQL


class Migration(Base):
    """Runs the SQL file of the same name."""

    dependencies = [("models", "0007_content")]
    operations = [RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
