"""Two companies paired to one number, hosted by two daemons: PostgreSQL lets one have it."""

import signal

from tests.builders import make_company
from tests.system.conftest import Scene, pair

REASONS = """
    SELECT whatsapp_session_data ->> 'reason' AS reason, whatsapp_phone AS phone
      FROM companies ORDER BY 1
"""


async def test_of_two_companies_with_one_number_one_is_hosted_and_the_other_told(
    scene: Scene,
) -> None:
    pair(scene.home, await make_company(scene.url))  # The scene's own company has this number too.
    found: list[tuple[str, str | None]] = []

    async def decided() -> bool:
        rows = await scene.look.fetch(REASONS)
        found[:] = [(row["reason"], row["phone"]) for row in rows]
        return {reason for reason, _ in found} == {"number_in_use", "online"}

    daemons = [
        await scene.nursery.start(
            scene.home, scene.phones.folder, "--shard", str(shard), run="daemon"
        )
        for shard in range(2)
    ]
    try:
        await scene.until(decided)
        sentences = "".join(daemon.err for daemon in daemons)
    finally:
        for daemon in daemons:
            await daemon.send(signal.SIGKILL)

    assert found == [("number_in_use", None), ("online", "+5215512345678")]
    assert "Another company of this installation already uses this WhatsApp number." in sentences
