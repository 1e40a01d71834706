"""Every kind of message a person can send, as the fields of its protobuf.

A value here is what ``protos.e2e.Message`` takes as keywords. Facts: a message holds one field
that says what it is; wrappers hold a whole message in their ``message``; a person refers to
another message by its key (whose chat, from whom, which id). References to media are given as
their fields (`media.Stored.reference`); without one the media cannot be downloaded.
"""

from collections.abc import Mapping
from typing import Any

Words = dict[str, Any]
Reference = Mapping[str, Any]

_NO_MEDIA: Reference = {}
_CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:{0}\nTEL;waid={1}:+{1}\nEND:VCARD"


def key(wa_id: str, chat: str, *, own: bool) -> Words:
    """Which message is meant; *own* is from the view of the one who refers to it."""
    return {"remoteJID": chat, "fromMe": own, "ID": wa_id}


def text(words: str) -> Words:
    """Plain words."""
    return {"conversation": words}


def link(words: str, url: str, title: str) -> Words:
    """Words with the preview of a page."""
    return {"extendedTextMessage": {"text": words, "matchedText": url, "title": title}}


def quoting(words: str, wa_id: str, author: str, quoted: Words) -> Words:
    """Words that answer a message, which is repeated inside."""
    context = {"stanzaID": wa_id, "participant": author, "quotedMessage": quoted}
    return {"extendedTextMessage": {"text": words, "contextInfo": context}}


def forwarded(words: str) -> Words:
    """Words that came from another chat."""
    context = {"isForwarded": True, "forwardingScore": 1}
    return {"extendedTextMessage": {"text": words, "contextInfo": context}}


def image(caption: str = "", media: Reference = _NO_MEDIA, mime: str = "image/jpeg") -> Words:
    """A photo."""
    return {"imageMessage": _captioned(caption, media, mime)}


def video(caption: str = "", media: Reference = _NO_MEDIA, *, gif: bool = False) -> Words:
    """A film, or a short one that repeats without sound."""
    return {
        "videoMessage": _captioned(caption, media, "video/mp4") | {"gifPlayback": gif, "seconds": 9}
    }


def round_video(media: Reference = _NO_MEDIA) -> Words:
    """A film recorded in the chat, shown as a circle."""
    return {"ptvMessage": {"mimetype": "video/mp4", "seconds": 4, **media}}


def voice(media: Reference = _NO_MEDIA, seconds: int = 7) -> Words:
    """A voice message."""
    mime = "audio/ogg; codecs=opus"
    return {"audioMessage": {"mimetype": mime, "seconds": seconds, "PTT": True, **media}}


def audio(media: Reference = _NO_MEDIA, seconds: int = 180) -> Words:
    """A file of sound."""
    return {"audioMessage": {"mimetype": "audio/mpeg", "seconds": seconds, **media}}


def document(name: str, caption: str = "", media: Reference = _NO_MEDIA) -> Words:
    """A file; one with a caption comes in a wrapper."""
    body = _captioned(caption, media, "application/pdf") | {"fileName": name, "title": name}
    plain = {"documentMessage": body}
    return wrapped("documentWithCaptionMessage", plain) if caption else plain


def sticker(media: Reference = _NO_MEDIA) -> Words:
    """A picture without words."""
    return {"stickerMessage": {"mimetype": "image/webp", **media}}


def moving_sticker() -> Words:
    """A drawn sticker, in a wrapper of its own."""
    inner = {"stickerMessage": {"mimetype": "application/was", "isLottie": True}}
    return wrapped("lottieStickerMessage", inner)


def album(images: int) -> Words:
    """Says that so many photos follow."""
    return {"albumMessage": {"expectedImageCount": images}}


def location(latitude: float, longitude: float, name: str = "", address: str = "") -> Words:
    """A place."""
    place = {"degreesLatitude": latitude, "degreesLongitude": longitude}
    return {"locationMessage": place | {"name": name, "address": address}}


def live_location(latitude: float, longitude: float, caption: str = "") -> Words:
    """Where the person is from now on."""
    place = {"degreesLatitude": latitude, "degreesLongitude": longitude}
    return {"liveLocationMessage": place | {"caption": caption, "sequenceNumber": 1}}


def contact(name: str, number: str) -> Words:
    """Somebody's card."""
    return {"contactMessage": _card(name, number)}


def contacts(*people: tuple[str, str]) -> Words:
    """Several cards."""
    cards = [_card(*person) for person in people]
    title = f"{len(cards)} contactos"
    return {"contactsArrayMessage": {"displayName": title, "contacts": cards}}


def button_reply(label: str, button: str) -> Words:
    """A press on one of a message's buttons."""
    body = {"selectedDisplayText": label, "selectedButtonID": button, "type": 1}
    return {"buttonsResponseMessage": body}


def list_reply(title: str, row: str) -> Words:
    """A choice from a list."""
    body = {"title": title, "listType": 1, "singleSelectReply": {"selectedRowID": row}}
    return {"listResponseMessage": body}


def template_reply(label: str, button: str) -> Words:
    """A press on a button of a template."""
    return {"templateButtonReplyMessage": {"selectedDisplayText": label, "selectedID": button}}


def flow_reply(label: str, name: str, parameters: str = "{}") -> Words:
    """An answer to an interactive message."""
    flow = {"name": name, "paramsJSON": parameters, "version": 3}
    body = {"body": {"text": label}, "nativeFlowResponseMessage": flow}
    return {"interactiveResponseMessage": body}


def poll(question: str, *options: str, secret: bytes, version: str = "V3") -> Words:
    """A question with options; votes are encrypted under the *secret*."""
    body = {"name": question, "options": [{"optionName": option} for option in options]}
    context = {"messageSecret": secret}
    return {f"pollCreationMessage{version}": body, "messageContextInfo": context}


def order(title: str, items: int, total: int, currency: str = "MXN") -> Words:
    """A basket from the catalogue; the total in thousandths."""
    body = {"orderID": "1", "itemCount": items, "status": 1, "surface": 1, "orderTitle": title}
    money = {"totalAmount1000": total, "totalCurrencyCode": currency}
    return {"orderMessage": body | money | {"message": "Quiero esto"}}


def product(title: str, price: int, currency: str = "MXN") -> Words:
    """A question about one thing of the catalogue; the price in thousandths."""
    body = {"productID": "1", "title": title, "priceAmount1000": price, "currencyCode": currency}
    return {"productMessage": {"product": body, "businessOwnerJID": "0@s.whatsapp.net"}}


def group_invite(group: str, name: str, caption: str = "") -> Words:
    """An invitation into a group."""
    body = {"groupJID": group, "inviteCode": "abc", "groupName": name, "caption": caption}
    return {"groupInviteMessage": body}


def event(name: str, at: int) -> Words:
    """An appointment."""
    return {"eventMessage": {"name": name, "startTime": at}}


def ephemeral(inner: Words) -> Words:
    """A message that will disappear."""
    return wrapped("ephemeralMessage", inner)


def view_once(inner: Words, version: str = "V2") -> Words:
    """A photo, film or voice that can be opened once."""
    return wrapped(f"viewOnceMessage{version}", inner)


def wrapped(wrapper: str, inner: Words) -> Words:
    """A message inside another."""
    return {wrapper: {"message": inner}}


def _captioned(caption: str, media: Reference, mime: str) -> Words:
    return {"mimetype": mime, **({"caption": caption} if caption else {}), **media}


def _card(name: str, number: str) -> Words:
    return {"displayName": name, "vcard": _CARD.format(name, number)}
