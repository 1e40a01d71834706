"""Companies: each business that LYROX answers for."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.users import User
from models.tenancy import CompanyModel


class Company(CompanyModel):
    """One business, its persona and its WhatsApp number."""

    wall = "id"

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.CASCADE
    )
    name = fields.CharField(255)
    industry = fields.CharField(100, null=True)
    website = fields.CharField(500, null=True)
    brand_personality = fields.TextField()
    system_prompt = fields.TextField(null=True)
    whatsapp_phone = fields.CharField(20, null=True, unique=True)
    whatsapp_connected = fields.BooleanField(null=True, db_default=False)
    whatsapp_session_data = fields.JSONField[dict[str, object]](null=True)
    whatsapp_last_connected = fields.DatetimeField(null=True)
    active = fields.BooleanField(null=True, db_default=True)
    subscription_plan = fields.CharField(50, null=True, db_default="free")
    subscription_status = fields.CharField(50, null=True, db_default="active")
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))
    slug = fields.CharField(63, unique=True)
    paused = fields.BooleanField(db_default=False)

    class Meta:
        table = "companies"
