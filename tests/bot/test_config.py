"""The configuration: what the file promises, and how mistakes in it are told."""

import tomllib
from pathlib import Path

import pytest

from bot.config import Settings, find, load, secret
from bot.llm_settings import Llm, Target
from models.errors import StartupRefused

SHIPPED = Path(__file__).resolve().parents[2] / "config.toml"


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    for name in ("POSTGRES_URL", "REDIS_URL", "MONGO_URL"):
        monkeypatch.delenv(f"LYROX_{name}", raising=False)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "lyrox.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(StartupRefused) as caught:
        load(written(folder, text))
    return str(caught.value)


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))

    assert shipped == Settings().model_dump(mode="json")


def test_the_shipped_file_explains_every_section_and_key_group() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    first_keys = [
        lines[number + 1] for number, line in enumerate(lines[:-1]) if line.startswith("[")
    ]

    assert all("# " in line for line in first_keys)


def test_the_shipped_file_shows_a_target_that_can_be_taken_over_as_it_stands() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = lines.index("# [[llm.targets]]")
    shown = "\n".join(line.removeprefix("# ") for line in lines[start : start + 10])
    target = tomllib.loads(shown)["llm"]["targets"][0]

    assert Llm.model_validate({"targets": [target]}).targets == (
        Target(name="openai", model="gpt-4o", input_price=2.5, output_price=10.0),
    )
    assert target.keys() == Target.model_fields.keys()


def test_a_target_has_both_prices_or_none() -> None:
    with pytest.raises(ValueError, match="input_price and output_price come together"):
        Target(name="openai", model="gpt-4o", input_price=2.5)


def test_the_ledger_is_kept_longer_than_whatsapp_repeats_itself() -> None:
    with pytest.raises(ValueError, match="ledger_days"):
        Settings.model_validate({"stores": {"ledger_days": 34}})


def test_a_file_may_name_only_what_differs(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "[conversation]\nquiet_seconds = 1\n"))

    assert settings.conversation.quiet_seconds == 1.0
    assert settings.limits == Settings().limits


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[daemon]\nstate_dir = "here"\n'))

    assert settings.daemon.state_dir == tmp_path / "here"
    assert settings.stores.data_dir == tmp_path / "var/stores"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[stores]\ndata_dir = "/srv/lyrox"\n'))

    assert settings.stores.data_dir == Path("/srv/lyrox")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""))

    with pytest.raises(ValueError, match="frozen"):
        settings.daemon.log_level = "debug"


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    told = refusal(
        tmp_path,
        """
        colour = "blue"
        [conversation]
        quiet_second = 2
        pause_minutes = "an hour"
        [limits]
        messages_per_minute = -1
        [web]
        listen = "0.0.0.0:80"
        """,
    )

    assert "5 wrong settings" in told
    assert "colour: unknown key" in told
    assert (
        "conversation.quiet_second: unknown key; did you mean conversation.quiet_seconds?" in told
    )
    assert "conversation.pause_minutes: " in told
    assert "limits.messages_per_minute: " in told
    assert "web.listen: " in told


@pytest.mark.parametrize(
    "text",
    [
        '[limits]\nmessages_per_minute = "10"',
        "[limits]\nmessages_per_minute = 10.5",
        "[limits]\nmessages_per_minute = true",
        "[whatsapp]\nenabled = 1",
        '[whatsapp]\nenabled = "yes"',
        "[conversation]\nquiet_seconds = nan",
        "[daemon]\ndrain_seconds = inf",
        "[daemon]\nstate_dir = 7",
        "[stores]\npostgres = 5432",
        '[llm]\nretry_minutes = ["1"]',
        "[llm]\nretry_minutes = 5",
        '[llm]\ntargets = ["openai"]',
        "daemon = 3",
    ],
)
def test_a_wrong_type_is_refused_and_never_bent(tmp_path: Path, text: str) -> None:
    key = tomllib.loads(text)
    section, value = next(iter(key.items()))
    name = f"{section}.{next(iter(value))}" if isinstance(value, dict) else section

    assert name in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "line",
    [
        "[conversation]\ncall_minutes = 0",
        "[conversation]\ncall_minutes = 1441",
        f"[conversation]\ncall_sentence = '{'x' * 501}'",
        "[whatsapp]\nmedia_megabytes = 0",
        "[whatsapp]\nmedia_megabytes = 65",
        "[whatsapp]\nmedia_seconds = 0.5",
        "[whatsapp]\nmedia_seconds = 121.0",
    ],
)
def test_calls_and_files_are_kept_within_bounds(tmp_path: Path, line: str) -> None:
    assert line.partition("\n")[2].partition(" ")[0] in refusal(tmp_path, line)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("recycle_memory_mb = 255", "must be at least 256"),
        ("recycle_memory_mb = -1", "greater than or equal to 0"),
        ("recycle_files_percent = 9", "greater than or equal to 10"),
        ("recycle_files_percent = 101", "less than or equal to 100"),
    ],
)
def test_a_process_is_given_room_to_work_in(tmp_path: Path, line: str, why: str) -> None:
    assert why in refusal(tmp_path, f"[daemon]\n{line}")
    assert load(written(tmp_path, "[daemon]\nrecycle_memory_mb = 0")).daemon.recycle_memory_mb == 0


def test_a_quiet_time_longer_than_the_longest_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, "[conversation]\nquiet_seconds = 20\n")

    assert "conversation: longest_seconds must be at least quiet_seconds" in told


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('name = "offline"\nmodel = "m"', "taken by the built-in target"),
        ('name = "a"\nmodel = "m"\nbase_url = "ftp://x"', "http or https URL"),
        ('name = "a"\nmodel = "m"\n[[llm.targets]]\nname = "a"\nmodel = "n"', "share one name"),
        ('name = "a"\nmodel = "m"\napi_key = "sk-Abc123"', "llm.targets.0.api_key"),
        ('name = "a"\nmodel = "m"\nparams = { top_p = inf }', "JSON has no word for"),
        ('name = "a"\nmodel = "m"\nparams = { stop = 2026-01-01 }', "JSON has no word for"),
    ],
)
def test_a_wrong_target_is_refused(tmp_path: Path, line: str, why: str) -> None:
    assert why in refusal(tmp_path, f"[[llm.targets]]\n{line}\n")


@pytest.mark.parametrize(
    "url",
    ["postgres://app:hunter2@db/lyrox", "postgres://app@db/lyrox?password=hunter2"],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    told = refusal(tmp_path, f'[stores]\npostgres = "{url}"\n')

    assert "stores.postgres: holds a password" in told
    assert "hunter2" not in told


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    told = refusal(tmp_path, "[daemon]\nlog_level = \n")

    assert "not valid TOML" in told
    assert "line 2" in told
    assert "\n" not in told


def test_text_that_is_not_utf8_is_refused_in_one_line(tmp_path: Path) -> None:
    told = refusal(tmp_path, '[whatsapp]\ndevice_name = "Pe\xf1a"\n'.encode("latin-1"))

    assert "cannot be read as UTF-8" in told
    assert "\n" not in told


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="no such file; name one with --config"):
        load(tmp_path / "nowhere.toml")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="cannot be read"):
        load(tmp_path)


def test_a_named_configuration_goes_before_all_others(tmp_path: Path) -> None:
    assert find(tmp_path / "mine.toml") == tmp_path / "mine.toml"


def test_the_configuration_in_the_working_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").touch()

    assert find() == Path("config.toml")


def test_without_any_configuration_one_sentence_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StartupRefused, match=r"neither config\.toml nor /etc/lyrox/config\.toml"):
        find()


def test_a_secret_comes_from_the_credentials_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openai_api_key").write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "from the environment")

    assert secret("openai_api_key") == "from the file"


def test_a_secret_comes_from_the_environment_where_there_is_no_credential(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "from the environment")

    assert secret("openai_api_key") == "from the environment"
    assert secret("another_key") is None


def test_blanks_around_a_secret_of_the_environment_are_none_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", " sk-test\n")
    monkeypatch.setenv("LYROX_WEBHOOK_SECRET", "\n")

    assert (secret("openai_api_key"), secret("webhook_secret")) == ("sk-test", None)


def test_a_credential_that_is_not_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openai_api_key").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    with pytest.raises(StartupRefused, match="credential openai_api_key"):
        secret("openai_api_key")


def test_a_secret_url_goes_before_the_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYROX_POSTGRES_URL", "postgres://app:hunter2@db/lyrox")
    settings = load(written(tmp_path, '[stores]\npostgres = "postgres://app@other/lyrox"\n'))

    assert settings.stores.postgres == "postgres://app:hunter2@db/lyrox"
    assert settings.stores.redis == ""
