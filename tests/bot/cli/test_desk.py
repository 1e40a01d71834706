"""The operator's desk: companies, products, the seed and the migrations, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot.cli.conftest import Lyrox, write_config
from tests.builders import admin

Desk = Callable[..., str]


@pytest.fixture
def desk(lyrox: Lyrox, config: Path) -> Desk:
    """Run a command that must end well; what it printed."""

    def run(*words: object) -> str:
        said = lyrox(*words, "--config", config)
        assert (said.code, said.err) == (0, "")
        return said.out

    return run


@pytest.fixture
def acme(desk: Desk, slug: str) -> str:
    """A company to work on."""
    owner = ("--owner", "ana@acme.test")
    desk("company", "add", slug, "--name", "Acme", "--personality", "Eres Ana.", *owner)
    return slug


def shown(desk: Desk, company: str) -> dict[str, object]:
    facts: dict[str, object] = json.loads(desk("company", "show", company, "--json"))
    return facts


def test_an_added_company_is_listed_and_its_new_owners_password_is_shown_once(
    desk: Desk, slug: str
) -> None:
    words = ("--name", "Acme", "--personality", "Eres Ana.", "--owner", "nueva@acme.test")

    first = desk("company", "add", slug, *words)
    second = desk("company", "add", f"{slug}-dos", *words)

    assert "new owner nueva@acme.test, temporary password" in first
    assert "password" not in second
    assert f"{slug}-dos" in desk("company", "list")


def test_a_company_is_known_by_its_slug_and_by_its_uuid(desk: Desk, acme: str) -> None:
    facts = shown(desk, acme)

    assert shown(desk, str(facts["id"])) == facts


def test_metadata_that_is_no_object_is_passed_over_and_mended(
    desk: Desk, acme: str, database: str
) -> None:
    async def spoil() -> None:
        look = await admin(database)
        await look.execute("UPDATE companies SET metadata = '[1]' WHERE slug = $1", acme)
        await look.close()

    asyncio.run(spoil())
    assert shown(desk, acme)["language"] is None

    desk("company", "set", acme, "--language", "en")

    assert shown(desk, acme)["language"] == "en"


def test_a_long_personality_is_read_from_a_file(desk: Desk, acme: str, tmp_path: Path) -> None:
    file = tmp_path / "ana.md"
    file.write_text("Eres Ana.\n\nVendes pan.\n", encoding="utf-8")

    desk("company", "set", acme, "--personality", f"@{file}")

    assert shown(desk, acme)["brand_personality"] == "Eres Ana.\n\nVendes pan."


def test_an_empty_word_removes_what_may_be_missing(desk: Desk, acme: str) -> None:
    desk("company", "set", acme, "--industry", "Pan", "--active", "no")
    desk("company", "set", acme, "--industry", "")

    facts = shown(desk, acme)
    assert (facts["industry"], facts["active"]) == (None, False)


def test_a_company_has_a_manner_of_its_own_until_it_is_taken_back(desk: Desk, acme: str) -> None:
    manner = ("--mark-read", "no", "--typing", "no", "--pace-seconds", "1.5", "--reply-parts", "2")
    desk("company", "set", acme, *manner, "--pause-minutes", "30", "--resume-word", "listo")
    names = (
        "mark_read",
        "show_typing",
        "pace_seconds",
        "reply_parts",
        "pause_minutes",
        "resume_word",
    )
    changed = [shown(desk, acme)[name] for name in names]
    words = [f"--{name.replace('_', '-')}" for name in names]
    words[1] = "--typing"
    desk("company", "set", acme, *(part for word in words for part in (word, "")))

    assert changed == [False, False, 1.5, 2, 30, "listo"]
    assert [shown(desk, acme)[name] for name in names] == [None] * 6


def test_who_waits_for_typing_customers_is_told_what_it_costs(
    lyrox: Lyrox, config: Path, acme: str
) -> None:
    on, off = (
        lyrox("company", "set", acme, "--typing-aware", word, "--config", config)
        for word in ("yes", "no")
    )

    assert (on.code, off.code) == (0, 0)
    assert "teléfono del dueño" in on.out
    assert "owner's phone" in on.out
    assert "phone" not in off.out


@pytest.mark.parametrize(
    ("word", "value", "sentence"),
    [
        ("--pace-seconds", "31", "pace_seconds: must be a number of seconds from 0 to 30"),
        ("--pace-seconds", "nan", "pace_seconds: must be a number of seconds from 0 to 30"),
        ("--reply-parts", "4", "reply_parts: must be a whole number from 1 to 3"),
        ("--reply-parts", "dos", "reply_parts: must be a whole number from 1 to 3"),
        ("--pause-minutes", "0", "pause_minutes: must be a whole number from 1 to 43200"),
        ("--resume-word", "x" * 41, "resume_word: is 41 characters long, at most 40 fit"),
        ("--mark-read", "maybe", "mark_read: 'maybe' is neither true nor false"),
    ],
)
def test_a_manner_has_bounds(
    lyrox: Lyrox, config: Path, acme: str, word: str, value: str, sentence: str
) -> None:
    said = lyrox("company", "set", acme, word, value, "--config", config)

    assert said.code != 0
    assert sentence in said.err


def test_a_product_can_be_added_changed_and_listed(desk: Desk, acme: str) -> None:
    link = ("--link", "https://pagos.acme.test/pan")
    assert "no payment link" in desk("product", "add", acme, "--name", "Té", "--price", "1")
    assert "no payment link" not in desk(
        "product", "add", acme, "--name", "Pan", "--price", "2.50", *link
    )

    desk("product", "set", acme, "Pan", "--price", "3", "--currency", "mxn")

    assert "3.00 MXN" in desk("product", "list", acme)


def test_an_empty_catalogue_says_so(desk: Desk, acme: str) -> None:
    assert "no product yet" in desk("product", "list", acme)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("company", "show", "nadie"), "there is no company 'nadie'"),
        (("company", "set", "ACME"), "nothing to change; give at least one of --name"),
        (("company", "set", "ACME", "--active", "quizás"), "active: "),
        (("company", "set", "ACME", "--website", "https://example.com"), "website: "),
        (("company", "set", "ACME", "--personality", "Eres [NOMBRE]."), "placeholder"),
        (("company", "set", "ACME", "--personality", "@/no/file"), "cannot be read"),
        (("product", "add", "ACME", "--name", "Pan", "--price", "2,50"), "price: "),
        (("product", "set", "ACME", "Pan", "--image", "pan.jpg"), "image: 'pan.jpg' is no picture"),
        (("product", "set", "ACME", "Pan", "--price", "3"), "there is no product 'Pan'"),
        (("product", "list", "nadie"), "there is no company 'nadie'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    lyrox: Lyrox, config: Path, acme: str, words: tuple[str, ...], told: str
) -> None:
    said = lyrox(*(word.replace("ACME", acme) for word in words), "--config", config)

    assert said.code == 2
    assert told in said.err
    assert said.err.count("\n") == 1


def test_the_seed_may_be_sown_again(desk: Desk) -> None:
    first = desk("seed", "emilio-born")
    second = desk("seed", "emilio-born")

    assert "stored emilio-born-pilot" in first
    assert "pedro@example.com, temporary password" in first
    assert "already there: emilio-born-pilot" in second
    assert "password" not in second
    assert desk("product", "list", "emilio-born-pilot").count(" USD ") == 2


def test_migrating_needs_postgresql_alone_and_may_be_repeated(
    lyrox: Lyrox, tmp_path: Path, bare_database: str
) -> None:
    nowhere = {"redis": "redis://127.0.0.1:9/0", "mongo": "mongodb://127.0.0.1:9/"}
    config = write_config(tmp_path, stores={"postgres": bare_database, **nowhere})

    first = lyrox("db", "migrate", "--config", config)
    second = lyrox("db", "migrate", "--config", config)

    assert first.code == second.code == 0
    assert first.out.startswith("applied 0001_document, ")
    assert second.out == "the database is up to date\n"


def test_an_unmigrated_database_is_refused(
    lyrox: Lyrox, tmp_path: Path, bare_database: str
) -> None:
    config = write_config(tmp_path, stores={"postgres": bare_database})

    said = lyrox("company", "list", "--config", config)

    assert said.code == 78
    assert "`lyrox db migrate`" in said.err


def test_a_database_that_nobody_runs_is_told_in_one_sentence(lyrox: Lyrox, tmp_path: Path) -> None:
    config = write_config(tmp_path, stores={"postgres": f"postgres://app@/app?host={tmp_path}"})

    said = lyrox("company", "list", "--config", config)

    assert said.code == 75
    assert said.err.count("\n") == 1


def test_without_a_url_a_private_postgresql_serves_the_command(
    lyrox: Lyrox, tmp_path: Path
) -> None:
    config = write_config(tmp_path, stores={"data_dir": "stores"})

    assert lyrox("db", "migrate", "--config", config).code == 0
    assert lyrox("company", "list", "--config", config).out == "no company yet; add one\n"
    assert not (tmp_path / "stores" / "mongod").exists()
