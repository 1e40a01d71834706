"""The sections ``[alerts]`` and ``[mail]``, and how mistakes in them are told."""

from pathlib import Path

import pytest

from bot.config import load
from models.errors import StartupRefused


def written(folder: Path, text: str) -> Path:
    path = folder / "lyrox.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[alerts]\nlanguage = "pt"', "alerts.language: "),
        ('[alerts]\ntime_zone = "Caracas"', "'Caracas' is no time zone; write one such as"),
        ('[alerts]\ntime_zone = ""', "alerts.time_zone: '' is no time zone"),
        ('[alerts]\nquiet_hours = "22-8"', "alerts.quiet_hours: "),
        ('[alerts]\nquiet_hours = "22:00-24:00"', "alerts.quiet_hours: "),
        ('[alerts]\nwebhook = "crm.test/hook"', "alerts.webhook: 'crm.test/hook' is not a URL"),
        ('[alerts]\nwebhook = "ftp://crm.test"', "alerts.webhook: 'ftp://crm.test' is not a URL"),
        ('[alerts]\nwebhook = "https://a:b@crm.test"', "must hold neither a user name nor"),
        ('[alerts]\nwebhook = "https://crm.test:port"', "is not a URL"),
        ('[alerts]\nwebhook = "http://crm.test"', "alerts: webhook must begin with https://"),
        ('[alerts]\nprivate_networks = ["10.1.0.1/16"]', "10.1.0.1/16 is no network such as"),
        ('[mail]\nhost = "smtp.test"', "mail: sender must be an address such as"),
        ('[mail]\nhost = "smtp.test"\nsender = "LYROX"', "mail: sender must be an address such as"),
        ('[mail]\nsecurity = "ssl"', "mail.security: "),
        (
            '[mail]\nhost = "smtp.test"\nsender = "a@b.test"\nsecurity = "none"',
            'security may be "none" for a server on this machine only',
        ),
        ("[mail]\nport = 0", "mail.port: "),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(StartupRefused) as refused:
        load(written(tmp_path, text))

    assert why in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_mail_server_on_this_machine_needs_no_tls(tmp_path: Path, host: str) -> None:
    text = f'[mail]\nhost = "{host}"\nsender = "lyrox@acme.test"\nsecurity = "none"\nport = 25'

    assert load(written(tmp_path, text)).mail.security == "none"


def test_what_is_right_is_taken_as_it_stands(tmp_path: Path) -> None:
    text = (
        '[alerts]\ntime_zone = "America/Caracas"\nwebhook = "https://crm.test/hook?a=1"\n'
        'private_networks = ["10.1.0.0/16", "fd00::/8"]\nquiet_hours = ""'
    )

    alerts = load(written(tmp_path, text)).alerts

    assert alerts.webhook == "https://crm.test/hook?a=1"
    assert alerts.private_networks == ("10.1.0.0/16", "fd00::/8")
    assert (alerts.time_zone, alerts.quiet_hours) == ("America/Caracas", "")
