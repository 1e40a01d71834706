"""``lyrox doctor``: one line for each thing, with what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot.cli.conftest import Loopback, Lyrox, write_config

NAMES = {
    *("config", "prompts", "postgres", "role", "migrations", "clock", "redis", "mongo"),
    *("llm", "alerts", "neonize", "sessions", "disk", "pairing"),
}

Findings = dict[str, dict[str, object]]


def examined(lyrox: Lyrox, config: Path) -> tuple[int, Findings]:
    said = lyrox("doctor", "--json", "--config", config)
    return said.code, {each["name"]: each for each in json.loads(said.out)["checks"]}


def with_target(config: Path, place: str) -> Path:
    with config.open("a", encoding="utf-8") as file:
        file.write(f'[[llm.targets]]\nname = "t"\nmodel = "m"\nbase_url = "http://{place}/v1"\n')
    return config


def test_a_healthy_place_is_all_well(lyrox: Lyrox, config: Path) -> None:
    said = lyrox("doctor", "--config", config)
    _, findings = examined(lyrox, config)

    assert said.code == 0
    assert all(line.startswith("ok ") for line in said.out.splitlines())
    assert findings.keys() == NAMES


def test_an_unmigrated_database_and_stores_that_are_away_are_named_with_their_remedy(
    lyrox: Lyrox, tmp_path: Path, bare_database: str
) -> None:
    stores = {"postgres": bare_database, "redis": "redis://127.0.0.1:9/0"}
    stores["mongo"] = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200"
    config = write_config(tmp_path, stores=stores, whatsapp={"enabled": False})

    code, findings = examined(lyrox, config)

    assert code == 1
    assert "lyrox db migrate" in str(findings["migrations"]["says"])
    wrong = {name for name, finding in findings.items() if not finding["ok"]}
    assert wrong == {"migrations", "redis", "mongo"}


def test_a_role_that_bypasses_the_walls_is_named(
    lyrox: Lyrox, tmp_path: Path, database: str
) -> None:
    stores = {"postgres": database.replace("app@", "postgres@")}
    config = write_config(tmp_path, stores=stores, whatsapp={"enabled": False})

    code, findings = examined(lyrox, config)

    assert code == 1
    assert "SUPERUSER" in str(findings["role"]["says"])
    assert findings["migrations"]["ok"]


def test_a_broken_configuration_is_its_only_finding(lyrox: Lyrox, tmp_path: Path) -> None:
    config = write_config(tmp_path, daemon={"colour": "blue"})

    code, findings = examined(lyrox, config)

    assert code == 1
    assert findings.keys() == {"config"}
    assert "daemon.colour: unknown key" in str(findings["config"]["says"])


@pytest.mark.parametrize(
    ("status", "ok", "told"),
    [
        (200, True, "m at http://127.0.0.1"),
        (404, True, "m at http://127.0.0.1"),
        (401, False, "refuses the key openai_api_key"),
        (503, False, "answers 503"),
    ],
)
def test_a_language_model_is_asked_with_its_key(
    lyrox: Lyrox,
    config: Path,
    loopback: Callable[[int, bytes], Loopback],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    ok: bool,
    told: str,
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "sk-test")
    server = loopback(status, b"{}")

    _, findings = examined(lyrox, with_target(config, server.place))

    assert server.asked == [("/v1/models", "Bearer sk-test")]
    assert findings["llm t"]["ok"] is ok
    assert told in str(findings["llm t"]["says"])


def test_a_language_model_without_its_key_says_where_to_put_it(
    lyrox: Lyrox, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LYROX_OPENAI_API_KEY", raising=False)

    code, findings = examined(lyrox, with_target(config, "127.0.0.1:9"))

    assert code == 1
    assert "LYROX_OPENAI_API_KEY" in str(findings["llm t"]["says"])


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ('[alerts]\nwebhook = "https://crm.test"\n', "LYROX_WEBHOOK_SECRET"),
        ('[mail]\nhost = "m.test"\nsender = "a@b.test"\nuser = "a"\n', "LYROX_SMTP_PASSWORD"),
    ],
)
def test_a_channel_without_its_secret_says_where_to_put_it(
    lyrox: Lyrox, config: Path, monkeypatch: pytest.MonkeyPatch, section: str, name: str
) -> None:
    for secret in ("LYROX_WEBHOOK_SECRET", "LYROX_SMTP_PASSWORD"):
        monkeypatch.delenv(secret, raising=False)
    with config.open("a", encoding="utf-8") as file:
        file.write(section)
    _, without = examined(lyrox, config)

    monkeypatch.setenv(name, "0123456789abcdef0123456789abcdef")
    _, complete = examined(lyrox, config)

    assert (without["alerts"]["ok"], name in str(without["alerts"]["says"])) == (False, True)
    assert complete["alerts"]["ok"]


def test_session_keys_that_others_may_read_are_named(
    lyrox: Lyrox, config: Path, tmp_path: Path
) -> None:
    sessions = tmp_path / "var" / "state" / "sessions"
    sessions.mkdir(parents=True, mode=0o755)
    (sessions / "some.sqlite").touch()

    code, findings = examined(lyrox, config)

    assert code == 1
    assert f"chmod 700 {sessions}" in str(findings["sessions"]["says"])


def test_the_whatsapp_library_loads(lyrox: Lyrox, config: Path) -> None:
    text = config.read_text(encoding="utf-8").replace("enabled = false", "enabled = true")
    config.write_text(text, encoding="utf-8")

    _, findings = examined(lyrox, config)

    assert findings["neonize"] == {"name": "neonize", "ok": True, "says": "its library loads"}
