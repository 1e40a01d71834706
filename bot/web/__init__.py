"""The aiohttp server door: health, metrics and status for those on this machine."""

from bot.web.health import serve

__all__ = ["serve"]
