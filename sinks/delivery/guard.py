"""Where a request may go: by the name in its URL, and by the address that name has just now.

Law: what is not listed is refused. Only one spelling of an address is read (dotted decimal, or IPv6
in brackets), so no other spelling can mean one that is refused; and a name is resolved once for a
request, which then goes to an address that was looked at, not to the name.

A listed *name* may lead to public addresses. A private, loopback, link-local or metadata address is
reached only if it, or a private network that holds it, is listed itself.
"""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, NamedTuple, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name, for a port. Raises OSError when it has none."""

_URL: Final = re.compile(r"(https?)://([^/?#@\\%]+)(/[!-\"$-\[\]-~]*)?", re.ASCII)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::([1-9][0-9]{0,4}))?", re.ASCII)
_QUAD: Final = re.compile(r"[0-9]+(\.[0-9]+){3}", re.ASCII)
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)
_PORTS: Final = {"https": 443, "http": 80}
_LOCALHOST: Final = "localhost"
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_CARRIES_V4: Final = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4: inside the public range, and yet the way to any IPv4 address."""
_LISTABLE: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


class NotAllowed(Exception):
    """A place that no request may go to; the reason names no secret."""


class Target(NamedTuple):
    """What a URL says, read strictly: a listed host, and the address if it is one."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None


def read_url(url: str) -> Target:
    """Take a URL apart; NotAllowed for everything but the plain spelling."""
    found = _URL.fullmatch(url)
    authority = found and _AUTHORITY.fullmatch(found[2].lower())
    if not found or not authority:
        raise NotAllowed(
            "its URL is not of the form https://host/path (no user name, no spaces, no fragment)"
        )
    scheme, host = found[1], authority[1]
    port = int(authority[2] or _PORTS[scheme])
    if port > 65_535:
        raise NotAllowed("the port in its URL is over 65535")
    return Target(scheme, host, port, found[3] or "/", _address(host))


def _address(host: str) -> Address | None:
    """Return the address that a host is; None for a name; NotAllowed for any other spelling."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        if _QUAD.fullmatch(host):
            return IPv4Address(host)
    except AddressValueError:
        raise NotAllowed("the host of its URL is no address in its plain spelling") from None
    if not _NAME.fullmatch(host):
        raise NotAllowed("the host of its URL is neither a plain name nor a plain address")
    return None


def is_public(address: Address) -> bool:
    """Say whether an address is anybody's on the Internet: not ours, nor a way round to ours."""
    if isinstance(address, IPv6Address):
        inside = address in _PUBLIC_V6 and not any(address in each for each in _CARRIES_V4)
        return inside and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


class Guard:
    """The allow-list `[delivery] hosts`, read: names, single addresses, private networks."""

    def __init__(self, hosts: Sequence[str], resolve: Resolve | None = None) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        self._resolve = resolve or resolved
        for entry in hosts:
            self._take(entry.strip().lower())

    def _take(self, entry: str) -> None:
        if _NAME.fullmatch(entry):
            self._names.add(entry)
            return
        try:
            network = ip_network(entry)
        except ValueError:
            raise NotAllowed(
                f"[delivery] hosts: {entry!r} is neither a host name, an address nor a network"
            ) from None
        if network.num_addresses > 1 and not any(
            _lies_in(network, listable) for listable in _LISTABLE
        ):
            raise NotAllowed(
                f"[delivery] hosts: {entry!r} is no private network; list public hosts by name"
            )
        self._networks.append(network)

    def has_name(self, host: str) -> bool:
        """Say whether a host name is listed."""
        return host.lower() in self._names

    def allowed(self, url: str) -> Target:
        """Return what a URL says, if a request may go there by what it says; else NotAllowed."""
        target = read_url(url)
        if target.address is None:
            if target.host not in self._names:
                raise NotAllowed(f"its host {target.host} is not in [delivery] hosts")
        elif not self._lists(target.address):
            raise NotAllowed(f"its address {target.host} is not in [delivery] hosts")
        if target.scheme == "http" and not _is_loopback(target):
            raise NotAllowed("its URL is not https; plain http is for the loopback alone")
        return target

    def addresses(self, target: Target) -> list[Address]:
        """Resolve a target, once, to where its request may go.

        NotAllowed if any of its addresses is one that is not: a name that leads to two kinds of
        places is not trusted with either. OSError when the name cannot be resolved.
        """
        if target.address is not None:
            return [target.address]
        found = [ip_address(text) for text in self._resolve(target.host, target.port)]
        if not found:
            raise OSError("the name has no address")
        for address in found:
            if not is_public(address) and not self._lists(address):
                raise NotAllowed(
                    f"{target.host} leads to {address}, which is not public and not in "
                    "[delivery] hosts"
                )
            if target.scheme == "http" and not address.is_loopback:
                raise NotAllowed(f"{target.host} leads to {address}, which plain http may not")
        return list(dict.fromkeys(found))

    def _lists(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _lies_in(network: Network, other: Network) -> bool:
    if isinstance(network, IPv4Network) and isinstance(other, IPv4Network):
        return network.subnet_of(other)
    if isinstance(network, IPv6Network) and isinstance(other, IPv6Network):
        return network.subnet_of(other)
    return False


def _is_loopback(target: Target) -> bool:
    if target.address is None:
        return target.host == _LOCALHOST
    return target.address.is_loopback


def resolved(name: str, port: int) -> list[str]:
    """Return the addresses of a name by the machine's resolver."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]
