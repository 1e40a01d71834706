"""The protobuf messages both sides speak, as neonize ships them; its library is not loaded."""

import importlib
from dataclasses import dataclass
from typing import Any

from bot.whatsapp.library import read_protos


@dataclass(frozen=True)
class Protos:
    """Handshake, certificate, pairing, message, settings and history schemas."""

    wa6: Any
    cert: Any
    adv: Any
    e2e: Any
    sync: Any
    action: Any
    history: Any


def load_protos() -> Protos:
    """Import them by the names that the generated modules use among themselves."""
    read_protos()
    return Protos(
        wa6=importlib.import_module("waWa6.WAWebProtobufsWa6_pb2"),
        cert=importlib.import_module("waCert.WACert_pb2"),
        adv=importlib.import_module("waAdv.WAAdv_pb2"),
        e2e=importlib.import_module("waE2E.WAWebProtobufsE2E_pb2"),
        sync=importlib.import_module("waServerSync.WAWebProtobufsServerSync_pb2"),
        action=importlib.import_module("waSyncAction.WAWebProtobufSyncAction_pb2"),
        history=importlib.import_module("waHistorySync.WAWebProtobufsHistorySync_pb2"),
    )
