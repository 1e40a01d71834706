"""How webhooks are signed: the Standard Webhooks scheme, so that receivers find a library for it.

https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 over ``id.timestamp.body``, with
headers ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``.
"""

import base64
import hmac
from datetime import datetime

SHORTEST_SECRET = 32
_PURPOSE = "lyrox webhook "
_PREFIX = "whsec_"


def signing_secret(master: str, signer: str) -> str:
    """The secret that a receiver gets: *signer* is a company's id, or the installation.

    Each has its own, so that no company's integrator can speak for another.
    """
    key = hmac.digest(master.encode(), (_PURPOSE + signer).encode(), "sha256")
    return _PREFIX + base64.b64encode(key).decode()


def signed(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove who sent *body*, and when."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
