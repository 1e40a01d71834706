"""When and how: the runtime around the handlers."""
