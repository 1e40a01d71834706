"""AES in CBC mode with PKCS #7 padding, in which messages, media and settings are sealed."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7


def encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """The ciphertext, a whole number of blocks."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


def decrypt(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """The plaintext. Raises ValueError where the padding is none."""
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
