"""Who is let in: by which key, asked by which name, from which page."""
from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from ilk.serve.caller import Caller
from ilk.serve.keys import Keys, Rates, hashed
from ilk.serve.refusals import Limited, Nowhere, Unknown

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Guard:
    """What the door checks. By default nobody is asked who they are: that is for a server inside this process.

    `token`: the SHA-256 of the token that was printed at the start. `hosts`: by which names the server may be asked, None for any; addresses (no names, so
    that no other page's name can be made to point here) are always its own where it listens beyond this machine. `origins`: pages elsewhere that may ask.
    """

    asks: bool = False
    token: str | None = None
    keys: Keys | None = None
    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()
    loopback: bool = True
    rates: Rates = field(default_factory=Rates)

    def caller(self, said: bytes | None) -> Caller:
        """Who has this Authorization; Unknown if nobody, Limited if they ask too often."""
        if not self.asks:
            return Caller("local")
        if said is None:
            raise Unknown("no key was sent")
        scheme, _, secret = said.partition(b" ")
        if scheme != b"Bearer" or not secret:
            raise Unknown("that is no key")
        if self.token is not None and hmac.compare_digest(hashed(secret), self.token):
            return Caller("local")
        key = None if self.keys is None else self.keys.find(secret)
        if key is None:
            raise Unknown("that is no key of this server")
        if key.rpm is not None and (after := self.rates.take(key.id, key.rpm)):
            raise Limited(f"this key may ask {key.rpm} times a minute", after)
        return Caller(key.id, key.scopes)

    def named(self, host: str) -> None:
        """Nowhere, unless the server may be asked by that name (the header Host)."""
        name, _ = split(host)
        if self.hosts is not None and name not in self.hosts and (self.loopback or not _address(name)):
            raise Nowhere("this server is not known by that name", "HOST", "ask it by the address it printed, or start it with --allow-host NAME")

    def asked_from(self, origin: str, host: str) -> bool:
        """Whether a page elsewhere asks that may; Nowhere for one that may not. False for the server's own pages."""
        if origin in self.origins:
            return True
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or split(parts.netloc) != split(host):
            raise Nowhere("pages of other sites may not ask this server", "ORIGIN", "start it with --cors-origin https://that.site")
        return False


def split(host: str) -> tuple[str, str]:
    """Name and port of a Host, the usual ports left out.

    >>> split("LocalHost:8000"), split("[::1]:80"), split("example.org")
    (('localhost', '8000'), ('::1', ''), ('example.org', ''))
    """
    name, port = host.lower(), ""
    if name.startswith("["):
        name, _, rest = name[1:].partition("]")
        port = rest.removeprefix(":")
    elif name.count(":") == 1:
        name, _, port = name.partition(":")
    return name.removesuffix("."), "" if port in ("80", "443") else port


def is_loopback(host: str) -> bool:
    """Whether that is this machine only.

    >>> [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "127.1.2.3", "0.0.0.0", "::", "example.org")]
    [True, True, True, True, False, False, False]
    """
    return host == "localhost" or (_address(host) and ip_address(host).is_loopback)


def _address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
