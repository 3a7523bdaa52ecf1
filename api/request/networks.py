# SPDX-License-Identifier: Apache-2.0
"""Parse IP addresses and networks in options and headers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from service.errors import StartError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def from_option(name: str, texts: Iterable[str]) -> list[Network]:
    """Return the networks of an option; raise StartError if one is invalid."""
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as exc:
        raise StartError(f'[api] {name}: {exc}; give addresses or networks '
                         f'such as 10.0.0.0/8') from exc


def parse_address(text: str) -> Address | None:
    """Return an IP address, or None if the text is not an address."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def within(text: str, networks: Iterable[Network]) -> bool:
    """Whether a text is an address in one of the networks."""
    address = parse_address(text)
    return address is not None and any(address in network
                                       for network in networks)
