"""Alert settings: where a company's alerts and events go."""

from tortoise import fields

from models.companies import Company
from models.tenancy import CompanyModel


class AlertSetting(CompanyModel):
    """Where a company differs from the configuration: None says as there, "" says nowhere.

    ``events`` is the address of its events webhook; the positions are what the publishing of
    events has left behind (``publish_events`` in the migrations).
    """

    company: fields.OneToOneRelation[Company] = fields.OneToOneField(
        "models.Company", related_name=False, on_delete=fields.CASCADE, primary_key=True
    )
    email = fields.CharField(255, null=True)
    webhook = fields.CharField(2000, null=True)
    whatsapp = fields.BooleanField(null=True)
    events = fields.CharField(2000, null=True)
    events_since = fields.DatetimeField(null=True)
    inbox_position = fields.BigIntField(db_default=0)
    log_position = fields.DatetimeField(null=True)
    event_position = fields.BigIntField(db_default=0)

    class Meta:
        table = "alert_settings"
