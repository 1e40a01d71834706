"""Daemons, phones, stores and valves, as the tests of the whole system have them."""

from tests.system.conftest import (
    module_database,
    module_history,
    module_urls,
    nursery,
    opened_shop,
    scene,
    sockets,
    store_urls,
    valves,
)

__all__ = [
    "module_database",
    "module_history",
    "module_urls",
    "nursery",
    "opened_shop",
    "scene",
    "sockets",
    "store_urls",
    "valves",
]
