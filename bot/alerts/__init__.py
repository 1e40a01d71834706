"""Alerts to owners and events to integrators: what to tell, when, to whom, and the telling."""
