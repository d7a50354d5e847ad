"""Which network addresses a webhook may reach: the public internet, and what an operator named.

A name that we are told to call may lead anywhere, and elsewhere a moment later. So the name decides
nothing: the address of every single connection does, in `Addresses.allows`, at the moment when its
socket is made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gateway.errors import InvalidInputError

Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out for the internet so far
_CLOSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        # Leads into IPv4, to whatever stands in it: Teredo and its neighbours, 6to4 and its relay.
        *("2001::/23", "2002::/16", "192.88.99.0/24"),
        # What some versions of Python take for global (RFC 6890, RFC 3849, RFC 9637).
        *("192.0.0.0/24", "2001:db8::/32", "3fff::/20"),
    )
)
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "fe80::/10", "ff00::/8"),
        # IPv4 in another dress (RFC 4291, RFC 6052, RFC 8215).
        *("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    )
)
"""What no setting opens: this host by no name, the neighbours' metadata services, many at once."""


class Addresses:
    """Tells permitted addresses from others."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        """Permit these networks besides the public internet.

        Raises:
            InvalidInputError: One is no network, or one that nothing may open.
        """
        self._networks = tuple(map(_network, networks))

    def allows(self, address: str) -> bool:
        """Whether a connection to this address may be made; what is no address: no."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if any(found in network for network in _NEVER):
            return False
        return any(found in network for network in self._networks) or _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    if any(address in network for network in _CLOSED):
        return False
    # Of IPv6 everything else maps, translates (64:ff9b::/96) or tunnels, or is not yet given out.
    return isinstance(address, IPv4Address) or address in _UNICAST


def _network(given: str) -> Network:
    try:
        network = ipaddress.ip_network(given)
    except ValueError:
        reason = "give networks, such as 10.1.2.0/24"
        raise InvalidInputError(field="webhook_networks", reason=reason) from None
    if any(network.version == each.version and network.overlaps(each) for each in _NEVER):
        reason = f"{given} reaches addresses that no webhook may reach, such as 169.254.0.0/16"
        raise InvalidInputError(field="webhook_networks", reason=reason)
    return network
