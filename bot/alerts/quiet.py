"""Quiet hours: when what can wait is told."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def after_quiet(moment: datetime, hours: str, zone: str) -> datetime:
    """*moment*, or the end of the quiet hours that it falls into.

    *hours* are ``HH:MM-HH:MM`` by the clocks of *zone*; empty, or from a time to the same, there
    are none.
    """
    if not hours:
        return moment
    begin, end = (time.fromisoformat(part) for part in hours.split("-"))
    local = moment.astimezone(ZoneInfo(zone))
    now = local.time()
    if begin <= end:
        quiet = begin <= now < end
        day = local.date()
    else:
        quiet = now >= begin or now < end
        day = local.date() + timedelta(days=now >= begin)
    if not quiet:
        return moment
    return datetime.combine(day, end, tzinfo=local.tzinfo).astimezone(moment.tzinfo)
