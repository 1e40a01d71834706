"""The test's end of `bare_client.py`: what a program without ours could do with the client."""

import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.whatsapp.identity import jid_parts
from bot.whatsapp.library import Protos, read_protos
from tests.whatsapp_server.hosted import Hosted, executing
from tests.whatsapp_server.nodes import Jid

_PROGRAM = Path(__file__).with_name("bare_client.py")

CONNECTED, MESSAGE, RECEIPT, CHAT_PRESENCE, HISTORY = 3, 17, 18, 19, 13
CALL_OFFER, CALL_TERMINATE, UNDECRYPTABLE = 36, 42, 44
# The client's numbers for kinds of media.
IMAGE, VIDEO, AUDIO, DOCUMENT = range(4)


class CallFailed(Exception):
    """What the client said instead of doing it."""


class BareClient:
    """A client that runs, and every event it has had."""

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted
        self._protos: Protos = read_protos()
        self._ids = itertools.count(1)

    async def event(self, number: int, *, after: int = 0, seconds: float = 50) -> bytes:
        """The first event with this number."""
        found = await self.hosted.until(event="event", number=number, after=after, seconds=seconds)
        return bytes.fromhex(found["raw"])

    async def call(self, name: str, *arguments: int | bytes, seconds: float = 50) -> bytes:
        """Call a function of the client by its name."""
        number = next(self._ids)
        given = [one.hex() if isinstance(one, bytes) else one for one in arguments]
        await self.hosted.tell("call", name=name, arguments=given, id=number)
        answer = await self.hosted.until(event="answer", id=number, seconds=seconds)
        return bytes.fromhex(answer["raw"])

    async def send(self, chat: str, message: Any) -> str:
        """Send any message; its id."""
        body, to = message.SerializeToString(), self._jid(chat)
        raw = await self.call("SendMessage", to, len(to), body, len(body))
        answer = self._protos.events.SendMessageReturnFunction.FromString(raw)
        _check(answer.Error)
        return str(answer.SendResponse.ID)

    async def mark(self, chat: str, *ids: str, kind: str = "read") -> None:
        """Tell the sender that these were read, or ``played``."""
        to = self._jid(chat)
        joined, now = " ".join(ids).encode(), int(time.time())
        arguments = (joined, now, to, len(to), to, len(to), kind.encode())
        _check((await self.call("MarkRead", *arguments)).decode())

    async def type(self, chat: str, *, on: bool = True, voice: bool = False) -> None:
        """Show that an answer is being typed, or recorded."""
        to = self._jid(chat)
        _check((await self.call("SendChatPresence", to, len(to), int(not on), int(voice))).decode())

    async def appear(self) -> None:
        """Be online, which needs a name from the phone."""
        _check((await self.call("SendPresence", b"available")).decode())

    async def download(self, message: Any, *, seconds: float = 50) -> bytes:
        """The bytes behind a message's media."""
        body = message.SerializeToString()
        raw = await self.call("DownloadAny", body, len(body), seconds=seconds)
        answer = self._protos.events.DownloadReturnFunction.FromString(raw)
        _check(answer.Error)
        return bytes(answer.Binary)

    async def upload(self, data: bytes, kind: int) -> dict[str, Any]:
        """The fields with which a message refers to the bytes, where they lie now."""
        raw = await self.call("Upload", data, len(data), kind)
        answer = self._protos.events.UploadReturnFunction.FromString(raw)
        _check(answer.Error)
        there = answer.UploadResponse
        return {
            "URL": there.url,
            "directPath": there.DirectPath,
            "mediaKey": there.MediaKey,
            "fileSHA256": there.FileSHA256,
            "fileEncSHA256": there.FileEncSHA256,
            "fileLength": there.FileLength,
        }

    async def pair_by_code(self, number: str, display: str = "Chrome (Linux)") -> str:
        """The eight letters to type on the phone."""
        asked = self._protos.events.PairPhoneParams(
            phone=number, showPushNotification=True, clientDisplayName=display, clientType=1
        ).SerializeToString()
        raw = await self.call("PairPhone", asked, len(asked))
        answer = self._protos.events.PairPhoneReturnFunction.FromString(raw)
        _check(answer.Error)
        return str(answer.Code)

    async def group(self, jid: Jid) -> Any:
        """What the server tells of a group."""
        asked = self._jid(str(jid))
        raw = await self.call("GetGroupInfo", asked, len(asked))
        answer = self._protos.events.GetGroupInfoReturnFunction.FromString(raw)
        _check(answer.Error)
        return answer.GroupInfo

    async def open_vote(self, event: bytes) -> list[bytes]:
        """The hashes of the options that a poll's vote chose."""
        raw = await self.call("DecryptPollVote", event, len(event))
        answer = self._protos.events.ReturnFunctionWithError.FromString(raw)
        _check(answer.Error)
        return list(answer.PollVoteMessage.selectedOptions)

    def _jid(self, chat: str) -> bytes:
        user, server = jid_parts(chat)
        jid = self._protos.events.JID(
            User=user, Server=server, RawAgent=0, Device=0, Integrator=0, IsEmpty=False
        )
        return bytes(jid.SerializeToString())


def _check(error: str) -> None:
    if error:
        raise CallFailed(error)


@contextlib.asynccontextmanager
async def bare_client(
    state_dir: Path,
    company: UUID,
    *events: int,
    environment: Mapping[str, str],
) -> AsyncIterator[BareClient]:
    """A client that is connecting, subscribed to these events."""
    words = (str(_PROGRAM), str(state_dir), str(company), *map(str, events))
    async with executing(*words, environment=environment) as hosted:
        yield BareClient(hosted)
