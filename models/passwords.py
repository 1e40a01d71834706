"""Passwords: made at random, stored as salted scrypt hashes that name their parameters."""

import hashlib
import hmac
import secrets

LOG_N, R, P = 15, 8, 1
MEMORY = 64 * 1024 * 1024


def temporary_password() -> str:
    """A random password that is safe to print once and easy to copy."""
    return secrets.token_urlsafe(12)


def hash_password(password: str) -> str:
    """``scrypt:ln=15,r=8,p=1$salt$hash``, salt and hash in hex."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, ln=LOG_N, r=R, p=P)
    return f"scrypt:ln={LOG_N},r={R},p={P}${salt.hex()}${digest.hex()}"


def password_matches(password: str, stored: str) -> bool:
    """Whether *password* is the one that was hashed; False for anything unreadable."""
    try:
        method, salt, digest = stored.split("$")
        name, _, told = method.partition(":")
        cost = {key: int(value) for key, value in (item.split("=") for item in told.split(","))}
        found = _scrypt(password, bytes.fromhex(salt), **cost)
    except (ValueError, TypeError):
        return False
    return name == "scrypt" and hmac.compare_digest(found.hex(), digest)


def _scrypt(password: str, salt: bytes, *, ln: int, r: int, p: int) -> bytes:
    data = password.encode()
    return hashlib.scrypt(data, salt=salt, n=2**ln, r=r, p=p, maxmem=MEMORY, dklen=32)
