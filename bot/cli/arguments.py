"""Every command and its arguments; needs nothing but the standard library."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bot.cli.argument_types import phone, seconds, shard
from models.errors import BadInput

Arguments = argparse.Namespace


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one sentence instead of a page."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; `{self.prog} --help` shows what there is")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version

        print(f"lyrox {version('lyrox')}")
        parser.exit()


class _Group:
    """A parser whose arguments are commands."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def group(self, name: str, about: str) -> "_Group":
        return _Group(self._add(name, about))

    def command(self, name: str, runs: str, about: str) -> argparse.ArgumentParser:
        parser = self._add(name, about)
        parser.set_defaults(command=f"bot.cli.{runs}")
        return parser

    def _add(self, name: str, about: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        # Without a default of its own, so that one given before the command stays.
        parser.add_argument("--config", metavar="PATH", type=Path, default=argparse.SUPPRESS)
        return parser


def parse(words: Sequence[str]) -> Arguments:
    """Read the command line. Raises BadInput with one sentence."""
    parser = _Parser(prog="lyrox", description="A WhatsApp assistant for small businesses.")
    parser.add_argument(
        "--config",
        metavar="PATH",
        type=Path,
        help="default: ./config.toml, else /etc/lyrox/config.toml",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    commands = _Group(parser)
    for describe in (_daemon, _chats, _desk, _products, _alerts, _care):
        describe(commands)
    arguments = parser.parse_args(words)
    for name, value in vars(arguments).items():
        if name != "once":  # What a customer writes may be anything.
            _check_text(str(value))
    return arguments


def _check_text(word: str) -> None:
    try:
        word.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{word!a}: is not UTF-8; write it in a terminal that speaks it") from None


def _daemon(commands: _Group) -> None:
    run = commands.command("run", "run:run", "run the daemon")
    run.add_argument("--shard", metavar="N", type=shard, default=0, help="the process's number")
    run.add_argument("--setup", action="store_true", help="migrate and seed first")
    run.add_argument("--check", action="store_true", help="only check configuration and prompts")
    worker = commands.command("worker", "run:work", "answer beside the daemon, without WhatsApp")
    worker.add_argument(
        "--number", metavar="N", type=shard, default=0, help="the worker's number on this machine"
    )
    worker.add_argument("--check", action="store_true", help="only check configuration and prompts")
    _json(commands.command("status", "status:status", "say how the daemon and its companies are"))
    why = commands.command("why", "why:why", "tell what became of a message, and why")
    why.add_argument("id", metavar="ID", help="WhatsApp's, inbox-N, outbox-N, or a turn's")
    why.add_argument("--text", action="store_true", help="show what was written, too")
    _json(why)


def _chats(commands: _Group) -> None:
    chat = commands.command(
        "chat", "chat:chat", "write to a company as a customer, without a phone"
    )
    _company(chat)
    chat.add_argument("--as", dest="name", metavar="NAME", help="who writes, at most 16 characters")
    chat.add_argument("--once", metavar="TEXT", help="write this, print the reply and end")
    chat.add_argument("--wait", metavar="SECONDS", type=seconds, default=45.0, help="with --once")
    _json(chat)
    _pairing(commands.command("pair", "pair:pair", "link a company's phone by a QR code"))
    for name, about in (("pause", "silence a company or one chat"), ("resume", "end a silence")):
        silence = commands.command(name, f"pause:{name}", about)
        _company(silence)
        silence.add_argument("customer", metavar="CUSTOMER", nargs="?", help="UUID or exact phone")


def _pairing(pair: argparse.ArgumentParser) -> None:
    _company(pair)
    pair.add_argument("--new-number", action="store_true", help="another number will do, unasked")
    ways = pair.add_mutually_exclusive_group()
    ways.add_argument(
        "--phone", metavar="NUMBER", type=phone, help="letters to type on it, no QR code"
    )
    ways.add_argument("--link", action="store_true", help="a link for the owner to do it alone")
    ways.add_argument("--revoke", action="store_true", help="no such link works any more")
    _json(pair)


def _desk(commands: _Group) -> None:
    seed = commands.command("seed", "seed:seed", "store the pilot company, as often as you like")
    seed.add_argument("name", choices=["emilio-born"])
    company = commands.group("company", "see and change companies")
    company.command("list", "companies:list_companies", "list all companies")
    _json(_company(company.command("show", "companies:show_company", "show one company")))
    add = company.command("add", "companies:add_company", "add a company")
    add.add_argument("slug", metavar="SLUG", help="its short name for this command line")
    add.add_argument("--owner", metavar="EMAIL", required=True, help="is added if unknown")
    add.add_argument("--owner-name", metavar="NAME")
    _company_facts(add, required=True)
    change = _company(company.command("set", "companies:set_company", "change a company"))
    change.add_argument("--active", metavar="yes|no")
    change.add_argument("--language", metavar="es|en", help="in which its owner is told of trouble")
    change.add_argument("--time-zone", metavar="ZONE", help="by whose clocks, America/Caracas")
    _manners(change)
    _company_facts(change, required=False)


def _manners(parser: argparse.ArgumentParser) -> None:
    """How a company's answers come; an empty value is the configuration's again."""
    add = parser.add_argument
    add("--mark-read", metavar="yes|no", help="show the customer that a message was read")
    add("--typing", metavar="yes|no", help="show that an answer is being written")
    add("--pace-seconds", metavar="N", help="longest time a bubble takes to write, 0 to 30")
    add("--reply-parts", metavar="N", help="most bubbles a long reply is split into, 1 to 3")
    add("--pause-minutes", metavar="N", help="how long a chat stays with the owner")
    add("--resume-word", metavar="WORD", help="what the owner writes to give a chat back")
    add(
        "--typing-aware",
        metavar="yes|no",
        help="wait for who is typing; the account is online then, the owner's phone not notified",
    )


def _company_facts(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--name", metavar="TEXT", required=required)
    parser.add_argument(
        "--personality",
        metavar="TEXT",
        required=required,
        help="how its persona speaks; @FILE reads it from a file",
    )
    parser.add_argument("--system-prompt", metavar="TEXT", help="house rules; @FILE, '' removes")
    parser.add_argument("--industry", metavar="TEXT", help="'' removes it")
    parser.add_argument("--website", metavar="URL", help="'' removes it")


def _products(commands: _Group) -> None:
    product = commands.group("product", "see and change a company's products")
    _company(product.command("list", "products:list_products", "list a company's products"))
    add = _company(product.command("add", "products:add_product", "add a product"))
    _product_facts(add, required=True)
    change = _company(product.command("set", "products:set_product", "change a product"))
    change.add_argument("product", metavar="PRODUCT", help="UUID or exact name")
    change.add_argument("--active", metavar="yes|no")
    _product_facts(change, required=False)


def _product_facts(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--name", metavar="TEXT", required=required)
    parser.add_argument("--price", metavar="AMOUNT", required=required, help="such as 98.00")
    parser.add_argument("--currency", metavar="CODE", help="three letters, USD unless you say so")
    parser.add_argument("--description", metavar="TEXT", help="'' removes it")
    parser.add_argument("--link", metavar="URL", help="where it is paid; '' removes it")
    parser.add_argument("--image", metavar="PLACE", help="its picture: URL or path; '' removes it")


def _alerts(commands: _Group) -> None:
    alert = commands.group("alert", "say where alerts and events go, and try it")
    tried = _company(alert.command("test", "alert:try_alerts", "send one by every channel"))
    tried.add_argument(
        "--wait", metavar="SECONDS", type=seconds, default=15.0, help="for the daemon's WhatsApp"
    )
    _json(tried)
    _json(_company(alert.command("show", "alert:show_alerts", "say where they go now")))
    retry = alert.command("retry", "alert:retry_alerts", "send again what nobody took for a day")
    retry.add_argument("company", metavar="COMPANY", nargs="?", help="default: all of them")
    _json(retry)
    change = _company(
        alert.command("set", "alert:set_alerts", "change where they go: an address, default or off")
    )
    change.add_argument("--email", metavar="ADDRESS")
    change.add_argument("--webhook", metavar="URL", help="alerts, signed")
    change.add_argument("--whatsapp", metavar="yes|no", help="the owner's own chat")
    change.add_argument("--events", metavar="URL", help="everything that happens, signed")
    secret = alert.command("secret", "alert:show_secret", "print what webhooks are signed with")
    secret.add_argument(
        "company", metavar="COMPANY", nargs="?", help="default: the webhook of the configuration"
    )


def _care(commands: _Group) -> None:
    aside = commands.group("aside", "messages that LYROX fails on, kept until somebody decides")
    _json(aside.command("list", "aside:list_aside", "list them"))
    again = aside.command("retry", "aside:retry_aside", "take them in again")
    again.add_argument("company", metavar="COMPANY", nargs="?", help="default: of all companies")
    again.add_argument("number", metavar="NUMBER", nargs="?", type=int, help="default: all")
    drop = _company(aside.command("drop", "aside:drop_aside", "forget one, or all of a company"))
    which = drop.add_mutually_exclusive_group(required=True)
    which.add_argument("number", metavar="NUMBER", nargs="?", type=int)
    which.add_argument("--all", action="store_true", help="every one of that company")
    database = commands.group("db", "care for the database")
    database.command("migrate", "database:migrate_database", "bring the schema up to date")
    _json(commands.command("doctor", "doctor:doctor", "check everything and say what to do"))


def _company(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("company", metavar="COMPANY", help="slug or UUID")
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
