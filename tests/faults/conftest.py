"""What the tests of faults share with those of the whole system: daemons, phones, stores, valves."""

from tests.system.conftest import (
    module_database,
    module_history,
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
    "nursery",
    "opened_shop",
    "scene",
    "sockets",
    "store_urls",
    "valves",
]
