"""How owners pair their phones by a page: links, one pairing a company, and what its page shows."""
