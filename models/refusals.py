"""What MongoDB said no to; needs nothing of its driver."""

from collections.abc import Mapping
from typing import Any

from models.errors import RetryLater

OTHER_INDEX = frozenset({85, 86})
"""IndexOptionsConflict, IndexKeySpecsConflict: an index of that name is another one."""
TOO_LARGE = frozenset({10334, 17419})
"""BSONObjectTooLarge, and the document would grow beyond 16 MB by an update."""


class Refused(RetryLater):
    """The server answered with errors, one for each write that it did not do.

    ``unconfirmed``: it did them, but not as durably as asked. ``writes_alone``: nothing else is
    wrong than single writes, which somebody may make room for.
    """

    def __init__(self, told: str, details: Mapping[str, Any] | None, code: int | None) -> None:
        super().__init__(f"MongoDB refused: {told}")
        known = dict(details or {})
        self.unconfirmed = bool(known.get("writeConcernErrors"))
        self.writes_alone = "writeErrors" in known and not self.unconfirmed
        self.errors: list[dict[str, Any]] = known.get("writeErrors", [{**known, "code": code}])
        self.code = code
