"""What we say: ordered handlers; the first that wants a turn answers it."""
