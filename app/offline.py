"""Working offline, as the preferences may say: nothing leaves for another machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from palimpsest.app import settings
from palimpsest.engine import ServerError
from palimpsest.engine.language import tr

FETCHING = tr("You work offline: end that in the preferences to fetch anything.")


def host(address: str) -> str:
    """The name of the machine at an address, with the port if one is given."""
    return urlsplit(address).netloc or address


def local(address: str) -> bool:
    """Is it this machine?"""
    name = urlsplit(address).hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def elsewhere(address: str) -> str:
    """Why the machine at an address is not asked."""
    return tr(
        "You work offline, and {host} is another machine: choose this machine's model, or end that in the preferences.",
        host=host(address),
    )


def check(address: str = "") -> None:
    """Raises ServerError where the user works offline and what is at the address, or fetching, is elsewhere."""
    if settings.load()[0].offline and not local(address):
        raise ServerError(elsewhere(address) if address else FETCHING)
