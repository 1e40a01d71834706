"""Settings that all devices of an account share, as signed patches.

Facts: each collection has a version and a 128-byte sum over everything that is set in it (whose
terms are made under the label ``WhatsApp Patch Integrity``). A patch sets values sealed with keys
made from a shared key (label ``WhatsApp Mutation Keys``), and carries two MACs: of the sum after it
and of itself. The phone hands the shared key to a new device in a message; the device then asks for
every collection from the version it has.
"""

import hmac
import json
import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server import cbc
from tests.whatsapp_server.nodes import SERVER, Node, Value
from tests.whatsapp_server.protos import Protos

_KEY_SHARE = 6
_SET = 0


@dataclass
class _Collection:
    version: int = 0
    sum: bytes = b"\x00" * 128
    values: dict[bytes, bytes] = field(default_factory=dict)
    patches: list[bytes] = field(default_factory=list)


class AppState:
    """One account's collections and the key they are sealed with."""

    def __init__(self, protos: Protos) -> None:
        self._protos = protos
        self._key_id, self._key = os.urandom(6), os.urandom(32)
        self._collections: dict[str, _Collection] = {}

    def name(self, name: str) -> Node:
        """The owner takes a name, which customers see: the notice of it for a client online."""
        value = {"pushNameSetting": {"name": name}}
        return self.put("critical_block", ["setting_pushName"], value)

    def put(self, collection: str, index: list[str], value: dict[str, Any]) -> Node:
        """Set one value (the fields of a ``SyncActionValue``): the notice of it."""
        there = self._collections.setdefault(collection, _Collection())
        there.version += 1
        there.patches.append(self._patch(collection, there, self._record(index, value)))
        changed = Node("collection", {"name": collection, "version": str(there.version)})
        attrs: dict[str, Value] = {"from": SERVER, "type": "server_sync"}
        attrs |= {"id": os.urandom(6).hex(), "t": str(int(time.time()))}
        return Node("notification", attrs, [changed])

    def answer(self, node: Node) -> Node:
        """The patches after the version that a device has, for each collection it asks for."""
        asked = node.child("sync").children
        return Node("sync", content=[self._since(one) for one in asked])

    def key_share(self) -> Any:
        """The message in which the phone hands over the key."""
        fingerprint = {"rawID": 1, "currentIndex": 0, "deviceIndexes": [0]}
        data = {"keyData": self._key, "fingerprint": fingerprint, "timestamp": int(time.time())}
        shared = {"keys": [{"keyID": {"keyID": self._key_id}, "keyData": data}]}
        body = {"type": _KEY_SHARE, "appStateSyncKeyShare": shared}
        return self._protos.e2e.Message(protocolMessage=body)

    def _since(self, asked: Node) -> Node:
        name = asked.get("name")
        there = self._collections.get(name, _Collection())
        patches = there.patches[int(asked.get("version") or 0) :]
        content = [Node("patches", content=[Node("patch", content=patch) for patch in patches])]
        attrs = {"name": name, "version": str(there.version), "has_more_patches": "false"}
        return Node("collection", attrs, content if patches else None)

    def _record(self, index: list[str], value: dict[str, Any]) -> Any:
        keys = _expand(self._key)
        place = json.dumps(index, separators=(",", ":")).encode()
        value = {"timestamp": int(time.time() * 1000), **value}
        action = self._protos.action.SyncActionData(index=place, value=value, version=1)
        iv = os.urandom(16)
        sealed = iv + cbc.encrypt(keys.sealing, iv, action.SerializeToString())
        size = struct.pack(">Q", len(self._key_id) + 1)
        signed = bytes([_SET + 1]) + self._key_id + sealed + size
        blob = sealed + hmac.digest(keys.value, signed, "sha512")[:32]
        mac = hmac.digest(keys.index, place, "sha256")
        return {"index": {"blob": mac}, "value": {"blob": blob}, "keyID": {"ID": self._key_id}}

    def _patch(self, name: str, there: _Collection, record: Any) -> bytes:
        keys, mac = _expand(self._key), record["value"]["blob"][-32:]
        before = there.values.get(record["index"]["blob"])
        there.values[record["index"]["blob"]] = mac
        there.sum = _sum(there.sum, [mac], [before] if before else [])
        tail = struct.pack(">Q", there.version) + name.encode()
        after = hmac.digest(keys.snapshot, there.sum + tail, "sha256")
        patch = self._protos.sync.SyncdPatch(
            version={"version": there.version},
            mutations=[{"operation": _SET, "record": record}],
            snapshotMAC=after,
            patchMAC=hmac.digest(keys.patch, after + mac + tail, "sha256"),
            keyID={"ID": self._key_id},
        )
        return bytes(patch.SerializeToString())


@dataclass(frozen=True)
class _Keys:
    index: bytes
    sealing: bytes
    value: bytes
    snapshot: bytes
    patch: bytes


def _expand(key: bytes) -> _Keys:
    whole = HKDF(SHA256(), 160, salt=None, info=b"WhatsApp Mutation Keys").derive(key)
    return _Keys(*(whole[at : at + 32] for at in range(0, 160, 32)))


def _sum(base: bytes, added: Iterable[bytes], removed: Iterable[bytes]) -> bytes:
    numbers = list(struct.unpack("<64H", base))
    for sign, values in ((1, added), (-1, removed)):
        for value in values:
            kdf = HKDF(SHA256(), 128, salt=None, info=b"WhatsApp Patch Integrity")
            terms = struct.unpack("<64H", kdf.derive(value))
            numbers = [(a + sign * b) & 0xFFFF for a, b in zip(numbers, terms, strict=True)]
    return struct.pack("<64H", *numbers)
