"""An alert in the owner's own chat, through the real client: the owner's phone gets it."""

from collections.abc import AsyncIterator

import pytest

from bot.alerts.routes import routes
from bot.config import Settings
from models.alert_settings import Addressee
from models.alerts import Outlet
from tests.bot.whatsapp.scene import Scene, on_stage
from tests.whatsapp_server import contents

pytestmark = pytest.mark.whatsapp

TEXT = "*LYROX · Acme*\nUn cliente espera que le conteste una persona."


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with on_stage(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


def own_chat(scene: Scene) -> str:
    """The address that a company's row leads to."""
    number, _ = scene.owner.client
    device = str(scene.owner.jid(number))
    acme = Addressee(
        *(scene.company, "acme", "Acme", True, "", device),
        *(None, None, None, None, None, None),
    )
    return routes(acme, Settings())[Outlet.WHATSAPP].address


async def test_an_alert_is_on_the_phone_as_a_message_to_oneself(scene: Scene) -> None:
    wa_id = await scene.client.send(own_chat(scene), scene.message(contents.text(TEXT)))
    copies = [
        scene.protos.e2e.Message.FromString(plain).deviceSentMessage
        for _, sent, plain in scene.owner.copies
        if sent == wa_id
    ]

    # The client seals it twice for a phone that is both recipient and sender: one id, one bubble.
    assert {copy.message.conversation for copy in copies} == {TEXT}
    assert {copy.destinationJID.partition("@")[0] for copy in copies} <= {
        scene.owner.number,
        scene.owner.lid,
    }
