"""Programs that compare in one run and print a table; their tables are kept under ``docs/``."""
