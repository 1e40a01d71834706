"""Webhooks are signed as the Standard Webhooks say."""

from datetime import UTC, datetime

from bot.alerts.signing import signed, signing_secret

AT = datetime.fromtimestamp(1614265330, UTC)
VECTOR = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MASTER = "0123456789abcdef0123456789abcdef"


def test_the_published_example_is_signed_as_published() -> None:
    """The test vector of the scheme's reference libraries."""
    headers = signed(VECTOR, "msg_p5jXN8AQM9LWM0D4loKWxJek", AT, b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_signer_has_a_secret_of_its_own_that_says_nothing_of_the_master() -> None:
    secrets = {signing_secret(MASTER, signer) for signer in ("a", "b", "installation")}

    assert len(secrets) == 3
    assert all(secret.startswith("whsec_") and MASTER not in secret for secret in secrets)
    assert signing_secret(MASTER, "a") == signing_secret(MASTER, "a")


def test_a_signature_holds_for_one_body_one_id_and_one_moment() -> None:
    secret = signing_secret(MASTER, "a")
    later = datetime.fromtimestamp(1614265331, UTC)
    signatures = {
        signed(secret, *facts)["webhook-signature"]
        for facts in (("1", AT, b"x"), ("2", AT, b"x"), ("1", later, b"x"), ("1", AT, b"y"))
    }

    assert len(signatures) == 4
