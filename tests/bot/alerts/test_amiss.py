"""What a daemon sees with its own eyes: told while it lasts, and over when nobody says it is so."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.alerts import amiss
from bot.alerts.amiss import Amiss
from bot.disk import Disk
from bot.whatsapp.aside import Order, aside_of
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal import Refusal
from bot.whatsapp.journal_records import Entry
from models.alerts import AlertDesk
from models.errors import RetryLater
from tests.bot.alerts.conftest import OpenScene, Scene

MINUTE, HOUR = 60, 3600
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def put_aside(state_dir: Path, company: UUID, *numbers: int) -> None:
    files = CompanyFiles(state_dir, company)
    files.prepare()
    files.journal.mkdir(exist_ok=True)
    for number in numbers:
        aside_of(state_dir, company).keep(Entry(number, 17, b"x"), why="KeyError", at=AT)


async def test_messages_set_aside_are_counted_in_one_alert_and_their_end_is_told(
    scene: Scene, tmp_path: Path
) -> None:
    scene.alerts.loop.watch(amiss.set_aside(tmp_path))
    put_aside(tmp_path, scene.company, 1)
    first = await scene.after(30)
    put_aside(tmp_path, scene.company, 2, 3)
    begun = await scene.after(2 * MINUTE)
    later = await scene.after(2 * HOUR, step=10 * MINUTE)
    aside_of(tmp_path, scene.company).order(Order.RETRY)

    assert (first, begun, later) == ([], ["alert.begun"], [])
    assert await scene.after(0) == ["alert.ended"]
    data = scene.receiver.taken[0]["data"]
    assert (data["kind"], data["urgent"]) == ("set_aside", True)
    assert "por un fallo suyo: 3." in data["text"]
    assert "`lyrox aside retry " in data["text"]


async def test_what_ended_while_no_daemon_ran_is_over_all_the_same(
    open_scene: OpenScene, tmp_path: Path
) -> None:
    async with open_scene() as scene:
        scene.alerts.loop.watch(amiss.set_aside(tmp_path))
        put_aside(tmp_path, scene.company, 1)
        await scene.after(2 * MINUTE)
    async with open_scene(company=scene.company, at=scene.now) as later:
        heard = await later.after(20 * MINUTE)

    assert heard == ["alert.ended"]


async def test_without_room_owners_hear_why_in_their_language(open_scene: OpenScene) -> None:
    found: dict[UUID, Refusal] = {}
    async with open_scene(language="en") as scene:
        scene.alerts.loop.watch(amiss.not_taken_in(lambda: found))
        found[scene.company] = Refusal.DISK
        begun = await scene.after(2 * MINUTE)
        found.clear()
        ended = await scene.after(0)

    assert (begun, ended) == (["alert.begun"], ["alert.ended"])
    assert scene.receiver.taken[0]["data"]["text"].startswith("LYROX's disk is full.")


async def test_a_nearly_full_disk_is_told_to_all_after_ten_minutes(scene: Scene) -> None:
    free = 512
    disk = Disk([Path("/")], low_mb=1024, free_bytes=lambda _: free * 2**20)
    scene.alerts.loop.watch(amiss.disk_low(disk))

    early = await scene.after(9 * MINUTE)
    begun = await scene.after(2 * MINUTE)
    free = 4096

    # The companies of the other tests here hear of it too.
    assert (early, set(begun), set(await scene.after(0))) == (
        *([], {"alert.begun"}),
        {"alert.ended"},
    )
    assert "unos 500 MB" in scene.receiver.taken[0]["data"]["text"]


async def test_a_company_that_is_gone_disturbs_nobody(scene: Scene, tmp_path: Path) -> None:
    scene.alerts.loop.watch(amiss.set_aside(tmp_path))
    put_aside(tmp_path, uuid4(), 1)
    await scene.session("logged_out")

    assert await scene.after(2 * MINUTE) == ["alert.begun"]


async def test_what_postgresql_did_not_take_is_noted_at_the_next_look() -> None:
    noted: list[tuple[UUID | None, Mapping[str, object]]] = []

    class Desk(AlertDesk):
        away = True

        async def note(
            self, company_id: UUID, _kind: str, data: Mapping[str, object], _now: datetime
        ) -> None:
            if self.away:
                raise RetryLater("away")
            noted.append((company_id, data))

    company, desk = uuid4(), Desk(None)  # type: ignore[arg-type] # Nothing else is asked of it.
    watch = Amiss("aside", lambda: {company: {"events": 1}})
    with pytest.raises(RetryLater):
        await watch.tell(desk, AT)
    desk.away = False
    await watch.tell(desk, AT)
    await watch.tell(desk, AT)

    assert noted == [(company, {"events": 1})]
