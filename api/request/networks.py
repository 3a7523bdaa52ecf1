# SPDX-License-Identifier: Apache-2.0
"""Addresses and networks, as options and headers name them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from service.errors import StartError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def from_option(name: str, said: Iterable[str]) -> list[Network]:
    """The networks of an option; StartError names one that is none."""
    try:
        return [ipaddress.ip_network(one) for one in said]
    except ValueError as exc:
        raise StartError(f'[api] {name}: {exc}; give addresses or networks '
                         f'such as 10.0.0.0/8') from exc


def parse_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def within(text: str, networks: Iterable[Network]) -> bool:
    """An address is in one of the networks; no address is in none."""
    found = parse_address(text)
    return found is not None and any(found in one for one in networks)
