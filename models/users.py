"""Platform users: business owners and administrators."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models import entries
from models.passwords import hash_password, temporary_password
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


async def find_or_add_user(email: str, name: str | None = None) -> tuple[User, str | None]:
    """The user with that address; a new one comes with a temporary password, shown once.

    Only inside the system scope.
    """
    email = entries.email("owner", email)
    if user := await User.everywhere().get_or_none(email=email):
        return user, None
    password = temporary_password()
    user = await User.create(email=email, name=name, password_hash=hash_password(password))
    return user, password
