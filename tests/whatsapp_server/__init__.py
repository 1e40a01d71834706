"""A WhatsApp server on loopback, just large enough for the real client to pair and to talk.

Everything here was written from the protocol's observed behaviour; the dictionary and the
message schemas come from the installed client, so they follow its version. It needs Linux on
x86-64 and write access to the client's memory. Each module says the facts it rests on.

The line: `proxy`, `patch`, `certificates`, `noise`, `nodes`, `tokens`, `connection`.
Keys: `keys`, `ratchet`, `sender_keys`, `cbc`, `fields`.
People: `people`, `devices`, `linking`, `app_state`, `history`.
What they say: `contents`, `changes`, `envelopes`, `rooms`, `signs`, `media`.
The server: `server`, `answers`, `routing`, `faults`.
Programs: `program` (the daemon's sessions alone), `bare_client` (the client alone), `seeding`,
`__main__` (the server itself); their other ends: `hosted`, `bare`, `nursery`, `load`.
"""
