"""Who asks: the address behind our own reverse proxies, and behind nobody else's word."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address


class Visitors:
    """Knows the proxies whose ``X-Forwarded-For`` is believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [ip_network(proxy) for proxy in trusted]

    def name(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """One name a visitor: the last address in the chain that is no proxy of ours.

        A client may write what it likes in front of what our proxies append. Of an IPv6 address
        the network counts, because one household has the whole of it.
        """
        parts = ",".join(forwarded_for).split(",")
        chain = [peer or "", *reversed([part for part in parts if part])]
        visitor: Address | None = None
        for item in chain:
            address = _address(item)
            if address is None:
                break
            visitor = address
            if not any(address in network for network in self._trusted):
                break
        return _household(visitor) if visitor else "unknown"


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _household(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, 64), strict=False))
