"""Settings of the language models: who is asked, how long, and at what price."""

import json
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bot.section import Section

Price = Annotated[float, Field(ge=0, le=100_000)]


class Target(Section):
    """One OpenAI-compatible endpoint; ``api_key`` names the credential, never holds it."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
    model: Annotated[str, Field(min_length=1)]
    base_url: str = "https://api.openai.com/v1"
    api_key: Annotated[str, Field(pattern="^[a-z0-9_]*$")] = "openai_api_key"
    try_seconds: Annotated[float, Field(gt=0, le=120)] = 12.0
    params: dict[str, Any] = Field(default_factory=dict)
    input_price: Price | None = None
    output_price: Price | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price come together")
        return self

    @field_validator("params")
    @classmethod
    def _can_be_sent(cls, params: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(params, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("holds a value that JSON has no word for, such as a date") from None
        return params

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
            raise ValueError("must be an http or https URL")
        return url

    @field_validator("name")
    @classmethod
    def _not_offline(cls, name: str) -> str:
        if name == "offline":
            raise ValueError("is taken by the built-in target")
        return name


class Llm(Section):
    """The language models in the order they are asked; the built-in ``offline`` comes last."""

    deadline_seconds: Annotated[float, Field(gt=0, le=120)] = 20.0
    notice_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    retry_minutes: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1440, strict=True)], ...], Field(strict=False)
    ] = (1.0, 5.0, 15.0)
    targets: Annotated[tuple[Target, ...], Field(strict=False)] = ()

    @field_validator("targets")
    @classmethod
    def _distinct(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        if len({target.name for target in targets}) != len(targets):
            raise ValueError("two targets share one name")
        return targets
