"""The naive pipeline's rows: ORM objects in transactions, each in its company's scope."""

from datetime import UTC, datetime
from uuid import uuid4

from tortoise.expressions import F

from handlers.answer import Answer
from models.agent_logs import AgentLog
from models.ai_metadata import ai_document
from models.companies import Company
from models.customers import Customer
from models.inbox import Inbound
from models.outbox import Outbound
from models.products import Product
from models.tenancy import company_scope
from models.values import (
    AiMetadata,
    CompanyCard,
    CustomerRef,
    InboundMessage,
    Line,
    ProductCard,
    Stage,
    Turn,
)


async def keep(message: InboundMessage) -> Customer:
    """Store the message and count it for its customer."""
    async with company_scope(message.company_id):
        customers = Customer.of(message.company_id)
        customer = await customers.get_or_none(phone=message.phone)
        if customer is None:
            customer = await Customer.create(
                company_id=message.company_id, phone=message.phone, name=message.name
            )
        await customers.filter(id=customer.id).update(
            last_interaction=message.sent_at, total_interactions=F("total_interactions") + 1
        )
        await Inbound.create(
            company_id=message.company_id,
            customer_id=customer.id,
            wa_id=message.wa_id,
            channel=message.channel.value,
            sender=message.sender.value,
            chat=message.chat,
            kind=message.kind.value,
            content=message.text,
            sent_at=message.sent_at,
        )
    return customer


async def turn(
    message: InboundMessage, customer: Customer, asked: Line, history: list[Line]
) -> Turn:
    """What the persona needs to know."""
    async with company_scope(message.company_id):
        company = await Company.of(message.company_id).get()
        products = await (
            Product.of(message.company_id).filter(active=True).order_by("created_at", "id")
        )
    cards = tuple(
        ProductCard(
            f"P{number}", one.id, one.name, one.description or "", one.price,
            one.currency or "USD", one.payment_link,
        )
        for number, one in enumerate(products, 1)
    )  # fmt: skip
    return Turn(
        id=uuid4(),
        attempt=1,
        tries=0,
        company=CompanyCard(
            company.id, company.name, company.brand_personality, company.system_prompt, cards
        ),
        customer=CustomerRef(
            customer.id, customer.phone, customer.name, Stage(customer.stage or "lead")
        ),
        channel=message.channel,
        chat=message.chat,
        messages=(asked,),
        kinds=(message.kind,),
        history=tuple(history),
    )


async def record(
    message: InboundMessage, customer: Customer, answer: Answer, ai: AiMetadata
) -> Outbound:
    """The answer is ready."""
    async with company_scope(message.company_id):
        row = await Outbound.create(
            company_id=message.company_id,
            customer_id=customer.id,
            kind="reply",
            channel=message.channel.value,
            chat=message.chat,
            content=answer.text,
            ai_metadata=ai_document(ai),
        )
        await (
            Inbound.of(message.company_id)
            .filter(wa_id=message.wa_id)
            .update(state="answered", remembered=True)
        )
        await (
            Customer.of(message.company_id).filter(id=customer.id).update(stage=answer.stage.value)
        )
    return row


async def mark(message: InboundMessage, row: Outbound, **values: object) -> None:
    """Change an outbox row."""
    async with company_scope(message.company_id):
        await Outbound.of(message.company_id).filter(id=row.id).update(**values)


async def sent(
    message: InboundMessage, customer: Customer, row: Outbound, wa_id: str, ai: AiMetadata
) -> None:
    """The answer has left."""
    async with company_scope(message.company_id):
        await (
            Outbound.of(message.company_id)
            .filter(id=row.id)
            .update(state="sent", wa_id=wa_id, sent_at=datetime.now(UTC), remembered=True)
        )
        await (
            Customer.of(message.company_id)
            .filter(id=customer.id)
            .update(last_interaction=datetime.now(UTC))
        )
        await AgentLog.create(
            company_id=message.company_id,
            agent_type="customer-acquisition",
            event_type="message_sent",
            event_data={"outboxId": row.id, "waId": wa_id, "model": ai.model},
            customer_id=customer.id,
            tokens_used=ai.tokens_used,
            response_time_ms=ai.response_time,
        )
