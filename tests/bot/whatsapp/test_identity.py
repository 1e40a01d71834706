import pytest

from bot.whatsapp.identity import address_of, customer_phone, jid_parts, jid_text
from bot.whatsapp.library import Protos
from models.values import Address


def jid(protos: Protos, user: str, server: str = "s.whatsapp.net") -> object:
    return protos.events.JID(
        User=user, Server=server, Device=3, RawAgent=0, Integrator=0, IsEmpty=not user
    )


@pytest.mark.parametrize("digits", ["5215512345678", "5491122334455", "34600112233"])
def test_a_phone_is_the_digits_of_the_address_never_reformatted(digits: str) -> None:
    assert customer_phone(Address(phone=digits, lid="1")) == f"+{digits}"


def test_a_hidden_number_is_known_by_its_lid() -> None:
    assert customer_phone(Address(lid="1234567890123456")) == "lid:1234567890123456"


def test_a_long_lid_fits_the_column_and_differs_from_its_neighbour() -> None:
    one, other = (customer_phone(Address(lid=f"1234567890123456{end}")) for end in "78")

    assert one.startswith("lidh:")
    assert len(one) == 20
    assert one != other


def test_both_addresses_make_one_person_in_either_order(protos: Protos) -> None:
    phone, lid = jid(protos, "521551"), jid(protos, "777", "lid")

    assert address_of((lid, phone)) == address_of((phone, lid)) == Address("521551", "777")


@pytest.mark.parametrize(
    ("user", "server"),
    [("123-456", "g.us"), ("status", "broadcast"), ("1", "newsletter"), ("0", "s.whatsapp.net")],
)
def test_an_address_that_is_no_persons_gives_nobody(protos: Protos, user: str, server: str) -> None:
    assert address_of((jid(protos, user, server), jid(protos, "", "lid"))) is None


def test_a_chat_is_stored_without_its_device_and_read_back(protos: Protos) -> None:
    text = jid_text(jid(protos, "521551"))

    assert text == "521551@s.whatsapp.net"
    assert jid_parts(text) == ("521551", "s.whatsapp.net")
