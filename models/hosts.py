"""Hosts: the processes at work and their heartbeats."""

from tortoise import fields
from tortoise.fields import Now
from tortoise.models import Model


class Host(Model):
    """One process; it is dead when its ``beat`` stands still for an observer."""

    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(255)
    shard = fields.IntField(null=True)
    role = fields.CharField(20)
    beat = fields.BigIntField(db_default=0)
    started_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "hosts"
