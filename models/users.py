"""Platform users: business owners and administrators."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.tenancy import Walled


class User(Walled):
    """A person who owns companies or runs the platform; for the system's eyes alone."""

    wall = ""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    email = fields.CharField(255, unique=True)
    password_hash = fields.CharField(255)
    name = fields.CharField(255, null=True)
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    last_login = fields.DatetimeField(null=True)
    email_verified = fields.BooleanField(null=True, db_default=False)
    status = fields.CharField(50, null=True, db_default="active")

    class Meta:
        table = "users"
