"""Pairings as the page sees them: each step, who joins, and what becomes of an abandoned one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID, uuid4

import pytest

from bot.pairing.pairings import ABANDONED_SECONDS, CompanyPairing, Pairings
from bot.pairing.view import Step, View
from bot.whatsapp.states import Reason, State
from models.errors import RetryLater
from tests.fakes.follower import CODE, Stage

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]

COMPANY = uuid4()
NEW, FORMER = "+5215512345678", "+5215500000000"
Views = AsyncGenerator[View, None]


@asynccontextmanager
async def opened(
    stage: Stage, company: UUID = COMPANY
) -> AsyncIterator[tuple[CompanyPairing, Views]]:
    """The company's pairing, and somebody who watches it."""
    async with Pairings(stage.surroundings()) as pairings:
        pairing = pairings.of(company)
        async with aclosing(pairing.watch()) as views:
            yield pairing, views


async def until(views: Views, step: Step) -> View:
    async for view in views:
        if view.step is step:
            return view
    raise AssertionError


async def test_a_code_is_shown_until_the_company_is_connected() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        assert (await anext(views)).step is Step.START
        await pairing.begin_at_first()
        assert (await anext(views)).step is Step.PREPARING
        stage.follower.scan(expires_in=60)
        shown = await anext(views)
        stage.follower.scan("another", expires_in=20)
        rotated = await anext(views)
        stage.follower.say("linked", phone=NEW)
        linked = await anext(views)
        stage.connect(NEW)
        connected = await anext(views)

    assert (shown.step, shown.code) == (Step.SCAN, CODE)
    assert (rotated.code, rotated.until - shown.until) == ("another", -40.0)
    assert (linked.step, linked.phone) == (Step.LINKED, NEW)
    assert (connected.step, connected.phone) == (Step.CONNECTED, NEW)
    assert stage.ended == ["paired"]


async def test_whoever_comes_later_joins_and_sees_the_same() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, first):
        pairing.begin()
        stage.follower.scan()
        shown = await until(first, Step.SCAN)
        async with aclosing(pairing.watch()) as second:
            joined = await anext(second)
            await pairing.begin_at_first()
            pairing.begin()
            stage.follower.say("failed", reason="expired")
            ends = [await until(views, Step.FAILED) for views in (first, second)]

    assert joined == shown
    assert len(stage.begun) == 1
    assert [end.reason for end in ends] == ["expired", "expired"]


async def test_a_failure_stays_until_somebody_begins_again() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("failed", reason="expired")
        await until(views, Step.FAILED)

        await pairing.begin_at_first()
        assert (await pairing.look()).reason == "expired"
        pairing.begin()
        assert (await anext(views)).step is Step.PREPARING
    assert len(stage.begun) == 2


async def test_a_failure_is_forgotten_once_the_company_is_connected_otherwise() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("failed", reason="expired")
        await until(views, Step.FAILED)

        stage.connect(NEW)

        assert (await anext(views)).step is Step.CONNECTED


async def test_letters_take_the_place_of_the_code_and_the_code_that_of_letters() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.scan()
        await until(views, Step.SCAN)
        pairing.begin("5215512345678")
        assert (await anext(views)).step is Step.PREPARING
        stage.follower.say("letters", code="ABCD-EFGH", phone="5215512345678", expires_in=150.0)
        letters = await anext(views)
        stage.follower.scan("another")
        await asyncio.sleep(1)
        assert (await pairing.look()) == letters
        pairing.begin()
        scan = await anext(views)

    assert stage.follower.letters == ["5215512345678"]
    assert (letters.step, letters.code) == (Step.LETTERS, "ABCD-EFGH")
    assert (scan.step, scan.code) == (Step.SCAN, "another")


async def test_letters_that_somebody_else_asked_for_are_not_shown_here() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.scan()
        scan = await until(views, Step.SCAN)
        stage.follower.say("letters", code="ABCD-EFGH", phone="13055550100", expires_in=150.0)
        stage.follower.say("letters_refused", phone="13055550100", reason="no_such_number")
        await asyncio.sleep(1)

        assert await pairing.look() == scan


@pytest.mark.parametrize("event", ["letters_refused", "failed"])
async def test_a_number_stays_with_the_failure_of_its_letters(event: str) -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin("5215512345678")
        stage.follower.say(event, phone="5215512345678", reason="expired")
        failed = await until(views, Step.FAILED)

    assert stage.follower.letters == ["5215512345678"]
    assert (failed.letters, failed.reason) == ("5215512345678", "expired")


@pytest.mark.parametrize(("keep", "reason"), [(True, ""), (False, "another_number")])
async def test_another_number_than_before_is_asked_about(keep: bool, reason: str) -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.scan()
        stage.follower.say("linked", phone=NEW, former=FORMER)
        asked = await until(views, Step.CONFIRM)
        pairing.begin()  # Nothing that was pressed too late may change the question.
        assert await pairing.look() == asked
        pairing.answer(keep)
        pairing.answer(not keep)
        decided = await stage.follower.decided

    assert (asked.phone, asked.former) == (NEW, FORMER)
    assert decided == reason


async def test_the_same_number_as_before_is_not_asked_about() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, _):
        pairing.begin()
        stage.follower.say("linked", phone=NEW, former=NEW)

        assert await stage.follower.decided == ""


async def test_a_number_of_another_company_is_refused() -> None:
    stage = Stage(taken={NEW})
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("linked", phone=NEW)
        failed = await until(views, Step.FAILED)

        await asyncio.sleep(1)

    assert failed.reason == Reason.NUMBER_IN_USE.value
    assert stage.ended == ["number_in_use"]
    assert [end for _, end in stage.told] == ["number_in_use"]


async def test_a_number_that_another_company_takes_in_the_last_moment_is_told_too() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("linked", phone=NEW)
        await until(views, Step.LINKED)
        stage.state = State(Reason.NUMBER_IN_USE)

        assert (await until(views, Step.FAILED)).reason == Reason.NUMBER_IN_USE.value


async def test_a_database_that_is_away_loses_no_pairing() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.away = True
        stage.follower.say("linked", phone=NEW)
        assert await stage.follower.decided == ""
        await asyncio.sleep(5)
        stage.away = False
        stage.connect(NEW)

        assert (await until(views, Step.CONNECTED)).phone == NEW
        await asyncio.sleep(1)
    assert stage.ended == ["paired"]


async def test_a_company_that_cannot_be_looked_up_is_no_silence() -> None:
    stage = Stage(away=True)
    async with opened(stage) as (_, views):
        with pytest.raises(RetryLater):
            await anext(views)


async def test_a_phone_that_never_connects_is_told_by_its_state_after_a_minute() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("linked", phone=NEW)
        await until(views, Step.LINKED)
        stage.state = State(Reason.UNREACHABLE)

        waiting = await until(views, Step.WAITING)

    assert waiting.state == State(Reason.UNREACHABLE)


async def test_a_pairing_that_nobody_looks_at_ends_after_a_minute_and_begins_for_the_next() -> None:
    stage = Stage()
    async with Pairings(stage.surroundings()) as pairings:
        pairing = pairings.of(COMPANY)
        async with aclosing(pairing.watch()) as views:
            await anext(views)
            pairing.begin()
            stage.follower.scan()
            await until(views, Step.SCAN)
            await asyncio.sleep(5 * ABANDONED_SECONDS)
            assert not stage.follower.closed
        await asyncio.sleep(ABANDONED_SECONDS - 5)
        assert not stage.follower.closed
        await asyncio.sleep(10)
        assert stage.follower.closed
        assert stage.ended == ["abandoned"]

        await pairing.begin_at_first()
        assert len(stage.begun) == 2


async def test_whoever_types_letters_may_look_away_as_long_as_they_are_good() -> None:
    stage = Stage()
    async with Pairings(stage.surroundings()) as pairings:
        pairing = pairings.of(COMPANY)
        pairing.begin("5215512345678")
        stage.follower.say("letters", code="ABCD-EFGH", phone="5215512345678", expires_in=160.0)
        await asyncio.sleep(155)
        assert not stage.follower.closed
        await asyncio.sleep(10)
        assert stage.follower.closed


async def test_a_company_that_is_stopped_or_connected_begins_nothing_by_itself() -> None:
    for stage in (Stage(served=False), Stage(state=State(Reason.ONLINE), phone=NEW)):
        async with opened(stage) as (pairing, views):
            view = await anext(views)
            await pairing.begin_at_first()

        assert view.step is (Step.CONNECTED if stage.phone else Step.STOPPED)
        assert stage.begun == []


async def test_beginning_again_and_again_is_slowed_down() -> None:
    stage = Stage()
    async with opened(stage) as (pairing, _):
        for _ in range(20):
            pairing.begin()
            stage.follower.say("failed", reason="expired")
            await asyncio.sleep(0.1)
        assert len(stage.begun) == 12
        assert (await pairing.look()).reason == "too_often"
        await asyncio.sleep(30)
        pairing.begin()
        assert len(stage.begun) == 13


async def test_a_fault_of_ours_is_shown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    async with opened(stage) as (pairing, views):
        pairing.begin()
        stage.follower.say("qr", expires_in="never")
        failed = await until(views, Step.FAILED)

    assert failed.reason == Reason.FAULT.value
    assert "background task failed" in caplog.text


async def test_leaving_ends_what_runs() -> None:
    stage = Stage()
    async with Pairings(stage.surroundings()) as pairings:
        pairings.of(COMPANY).begin()
        await asyncio.sleep(0.1)
    assert stage.follower.closed


async def test_companies_that_nobody_looks_at_are_forgotten() -> None:
    stage = Stage()
    async with Pairings(stage.surroundings()) as pairings:
        first = pairings.of(COMPANY)
        await asyncio.sleep(300)
        assert pairings.of(COMPANY) is first
        await asyncio.sleep(700)
        assert pairings.of(COMPANY) is not first
