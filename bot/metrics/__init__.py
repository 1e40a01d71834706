"""The prometheus_client door: what the process counts and measures."""

from bot.metrics.metrics import Metrics

__all__ = ["Metrics"]
