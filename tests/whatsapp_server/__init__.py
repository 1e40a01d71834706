"""A WhatsApp server on loopback, just large enough for the real client to pair and to talk.

Everything here was written from the protocol's observed behaviour; the dictionary and the
message schemas come from the installed client, so they follow its version. It needs Linux on
x86-64 and write access to the client's memory.
"""
