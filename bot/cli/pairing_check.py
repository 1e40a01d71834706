"""What ``lyrox doctor`` sees of the pairing page: whether people get to it, and to ours."""

import asyncio
import urllib.error
import urllib.request

from bot.cli.checks import UNREACHABLE, Unwell, reason_of
from bot.config import Settings
from bot.pairing.links import bygone_token
from bot.shard import running_shards

SECONDS = 5.0
HOW = "docs/operations.md shows nginx and Caddy in front of it"
GONE = 410
"""What the page says to a link that was ours."""


async def pairing_page(settings: Settings) -> str:
    """How the page is reached, or raises what to do."""
    listen, url = settings.web.public_listen, settings.web.public_url
    if not listen:
        return f"no page for owners: set web.public_listen and web.public_url; {HOW}"
    if not url:
        raise Unwell(f"web.public_url: is not set, so nobody gets a link to {listen}; {HOW}")
    if not running_shards(settings.daemon.state_dir):
        return f"{url}, not tried because no daemon runs"
    address = f"{url}/pair/{bygone_token(settings)}"
    status = await asyncio.to_thread(_status, address, url)
    if status != GONE:
        raise Unwell(
            f"{url}: answers {status}, so it does not lead to {listen} of this daemon; correct the"
            f" reverse proxy or web.public_url; {HOW}"
        )
    return f"{url} leads to {listen}"


def _status(address: str, url: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310 - The configuration allows http and https alone.
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except UNREACHABLE as error:
        raise Unwell(f"{url}: cannot be reached: {reason_of(error)}; {HOW}") from None
