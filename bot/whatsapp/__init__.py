"""The neonize door: one WhatsApp session per company, and nothing of neonize beyond it."""
