"""The real texts, read once."""

import pytest

from handlers import Prompts, load_prompts


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return load_prompts()
