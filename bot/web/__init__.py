"""The aiohttp door: health, metrics and status for those on this machine, and posting webhooks."""

from bot.web.health import serve

__all__ = ["serve"]
