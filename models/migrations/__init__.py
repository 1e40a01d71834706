"""Schema changes in order, applied by `models.database.migrate`; each is SQL written by hand.

A migration ``NNNN_name.py`` runs the file ``NNNN_name.sql`` beside it. Composite keys, walls,
partial indexes and triggers are beyond Tortoise's generated operations, so the SQL is the only
source, and a test holds the models against the migrated database. Once released, a migration
and its SQL never change again.

Walls stand from ``0003_walls`` on: a later migration that reads or checks rows of a walled table
starts with ``SELECT set_config('app.company_id', '00000000-0000-0000-0000-000000000000', true),
set_config('app.system', 'on', true);``.
"""
