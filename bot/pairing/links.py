"""Links to the pairing page: signed, for one company, good until it has paired or time is up.

Nothing is kept of a link. Its signature says that it is ours. It names the last pairing and
the last revocation of its company as they were when it was made: once there is another of either,
it counts no more, whatever a clock said meanwhile.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from bot.config import Settings, secret
from bot.whatsapp.files import CompanyFiles, write_whole
from models.errors import LyroxError, StartupRefused, Unavailable

LIFE = timedelta(minutes=30)

_MARK = b"\x01"
_PURPOSE = b"lyrox pairing link"
_NEVER_REVOKED = bytes(4)
_PAYLOAD = struct.Struct(f">{len(_MARK)}s16sQQ{len(_NEVER_REVOKED)}s")
"""The mark, the company, its end and the last pairing (milliseconds since 1970), the revocation."""
_SIGNATURE = hashlib.sha256().digest_size
_KEY_BYTES = 32
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Flaw(StrEnum):
    """Why a link is refused."""

    FORGED = "forged"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USED = "used"


class LinkRefused(LyroxError):
    """Not a link, or no longer one; *flaw* is for us, never for whoever sent it."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(f"this pairing link is {flaw}")
        self.flaw = flaw


@dataclass(frozen=True, slots=True)
class Link:
    """What a person opens, and until when."""

    url: str
    expires_at: datetime


class PairingLinks:
    """Makes and judges the tokens of one state directory."""

    def __init__(
        self,
        state_dir: Path,
        key: bytes,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state_dir = state_dir
        self._key = key
        self._now = now

    def issue(self, company_id: UUID) -> tuple[str, datetime]:
        """A new token, and when it expires. Raises Unavailable."""
        ends = _milliseconds(self._now() + LIFE)
        paired, revoked = self._paired_at(company_id), self._revocation(company_id)
        payload = _PAYLOAD.pack(_MARK, company_id.bytes, ends, paired, revoked)
        token = base64.urlsafe_b64encode(payload + self._sign(payload)).rstrip(b"=").decode()
        return token, _moment(ends)

    def read(self, token: str) -> tuple[UUID, datetime]:
        """Whose link it is, and when it expires. Raises LinkRefused or Unavailable.

        Whatever was sent is signed and compared over all its bytes, so the time that a wrong one
        takes says nothing of the right one.
        """
        raw = _decoded(token)
        payload, signature = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
        mark, company, ends, paired, revoked = _PAYLOAD.unpack(payload)
        if not hmac.compare_digest(self._sign(payload), signature) or mark != _MARK:
            raise LinkRefused(Flaw.FORGED)
        company_id = UUID(bytes=company)
        if paired != self._paired_at(company_id):
            raise LinkRefused(Flaw.USED)
        if revoked != self._revocation(company_id):
            raise LinkRefused(Flaw.REVOKED)
        if self._now() >= _moment(ends):
            raise LinkRefused(Flaw.EXPIRED)
        return company_id, _moment(ends)

    def revoke(self, company_id: UUID) -> None:
        """No link of the company's that exists now counts any more. Raises Unavailable."""
        files = CompanyFiles(self._state_dir, company_id)
        revocation = secrets.token_hex(len(_NEVER_REVOKED))
        try:
            files.prepare()
            write_whole(files.links, {"revocation": revocation})
        except OSError as error:
            raise Unavailable(f"{files.links}: no link is revoked: {error.strerror}") from None

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + payload, "sha256")

    def _paired_at(self, company_id: UUID) -> int:
        files = CompanyFiles(self._state_dir, company_id)
        note = files.read_note()
        # One that cannot be read is another one than none, so that no used link counts again.
        return _milliseconds(note.paired_at) if note else int(files.note.exists())

    def _revocation(self, company_id: UUID) -> bytes:
        """The last one. Only where nothing is there was there none."""
        file = CompanyFiles(self._state_dir, company_id).links
        try:
            revocation = bytes.fromhex(json.loads(file.read_text(encoding="utf-8"))["revocation"])
        except FileNotFoundError:
            return _NEVER_REVOKED
        except (OSError, ValueError, KeyError, TypeError):
            revocation = b""
        if len(revocation) != len(_NEVER_REVOKED):
            raise Unavailable(
                f"{file}: cannot be read, so no pairing link of this company counts;"
                " revoke them once more as the daemon's user (lyrox pair COMPANY --revoke)"
            )
        return revocation


def open_links(settings: Settings) -> PairingLinks:
    """The links of this installation. Raises StartupRefused where its key cannot be kept."""
    return PairingLinks(settings.daemon.state_dir, _key(settings))


def pairing_link(settings: Settings, company_id: UUID) -> Link | None:
    """A link for the company's owner; None where no ``public_url`` leads to the page."""
    if not settings.web.public_url:
        return None
    token, expires_at = open_links(settings).issue(company_id)
    return Link(f"{settings.web.public_url}/pair/{token}", expires_at)


def bygone_token(settings: Settings) -> str:
    """A token of nobody's that expired long ago: the page says so only where it is ours."""
    links = PairingLinks(settings.daemon.state_dir, _key(settings), now=lambda: _LONG_AGO)
    return links.issue(UUID(int=0))[0]


def _key(settings: Settings) -> bytes:
    own = secret("pairing_key")
    return hashlib.sha256(own.encode()).digest() if own else _kept_key(settings.daemon.state_dir)


def _kept_key(state_dir: Path) -> bytes:
    """The key in the state directory; whoever needs it first makes it."""
    file = state_dir / "pairing.key"
    try:
        if not file.exists():
            _make_key(file)
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StartupRefused(f"{file}: the key of pairing links cannot be kept: {error}") from None
    if len(key) < _KEY_BYTES:
        raise StartupRefused(f"{file}: is no key of ours; delete it, which voids all pairing links")
    return key


def _make_key(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(_KEY_BYTES))
        opened.flush()
        os.fsync(opened.fileno())
    try:
        os.link(new, file)  # The first of several processes wins, and all read the same.
    except FileExistsError:
        pass
    finally:
        new.unlink()


def _decoded(token: str) -> bytes:
    """The token's bytes, as many as a token has; what is no token has other ones."""
    size = _PAYLOAD.size + _SIGNATURE
    try:
        raw = base64.b64decode(f"{token}{'=' * (-len(token) % 4)}", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    same = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == token
    return raw if same and len(raw) == size else bytes(size)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
