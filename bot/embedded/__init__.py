"""Private PostgreSQL, Valkey and mongod, started on demand and shared by all who need them.

They stop with their last user, however that one ends.
"""

from bot.embedded.client import Services, services
from bot.embedded.place import MONGOD, POSTGRES, VALKEY

__all__ = ["MONGOD", "POSTGRES", "VALKEY", "Services", "services"]
