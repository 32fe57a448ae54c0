"""Names the programs that send requests of others: proxies, web servers, application servers.

What the metadata service is asked by one of them need not be what the program itself wants. The
client of a forward proxy asks through it; a web server is made to ask by request forgery (SSRF).
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple, Optional


class Place(enum.Enum):
    """Kind of server, by the party for which it sends requests."""

    FORWARD = "forward proxy"  # of its clients, which are one's own programs
    REVERSE = "reverse proxy or web server"  # of whoever reaches it
    APPLICATION = "application server"  # of the application in it, as far as nobody misuses that
    BROWSER = "browser without a person"  # of the page that it was given


class Server(NamedTuple):
    """One kind of server.

    ``own`` are the languages (:data:`analyzer.logline.foreign.PRODUCTS`) whose user agents can be
    the program's own. ``log`` are the files of its access log, as a shell expands them, and
    ``journal`` the unit that logs in their place.
    """

    name: str
    names: re.Pattern[str]
    place: Place
    own: frozenset[str] = frozenset()
    log: str = ""
    journal: str = ""


def _row(
    name: str, names: str, place: Place, *own: str, log: str = "", journal: str = ""
) -> Server:
    return Server(name, re.compile(names), place, frozenset(own), log, journal)


_NGINX = "/var/log/nginx/*access*"
_APACHE = "/var/log/apache2/*access* /var/log/httpd/*access*"


@functools.cache
def _servers() -> tuple[Server, ...]:
    """Return the table; compiled when it is first needed."""
    return (
        _row("Squid", r"squid3?", Place.FORWARD, log="/var/log/squid/access.log*"),
        _row("Tinyproxy", r"tinyproxy", Place.FORWARD, log="/var/log/tinyproxy/tinyproxy.log*",
             journal="tinyproxy.service"),
        _row("Privoxy", r"privoxy", Place.FORWARD, log="/var/log/privoxy/logfile*"),
        _row("3proxy", r"3proxy", Place.FORWARD, log="/var/log/3proxy/*"),
        _row("mitmproxy", r"mitm(?:proxy|dump|web)", Place.FORWARD, "python"),
        _row("Polipo", r"polipo", Place.FORWARD),
        _row("G3proxy", r"g3proxy", Place.FORWARD),
        _row("Smokescreen", r"smokescreen", Place.FORWARD, "go"),
        _row("GoProxy", r"goproxy|glider|gost", Place.FORWARD, "go"),
        # Sidecars of a service mesh: what they send on are the calls of their pod.
        _row("Envoy", r"envoy(?:-.*)?|istio-proxy", Place.FORWARD),
        _row("linkerd-proxy", r"linkerd2?-proxy", Place.FORWARD),
        _row("nginx", r"nginx(?:-.*)?|openresty|angie|tengine", Place.REVERSE, log=_NGINX),
        # Its modules run applications: mod_php, mod_wsgi, mod_perl.
        _row("Apache", r"apache2|httpd(?:\.(?:worker|prefork|event))?", Place.REVERSE,
             "php", "python", "perl", log=_APACHE),
        _row("HAProxy", r"haproxy(?:-.*)?", Place.REVERSE, log="/var/log/haproxy.log*",
             journal="haproxy.service"),
        _row("Varnish", r"varnishd|cache-main", Place.REVERSE, journal="varnishncsa.service"),
        _row("lighttpd", r"lighttpd", Place.REVERSE, log="/var/log/lighttpd/access.log*"),
        _row("Traffic Server", r"traffic_server", Place.REVERSE, log="/var/log/trafficserver/*"),
        _row("Traefik", r"traefik", Place.REVERSE, "go", log="/var/log/traefik/access.log*",
             journal="traefik.service"),
        _row("Caddy", r"caddy", Place.REVERSE, "go", log="/var/log/caddy/*",
             journal="caddy.service"),
        _row("H2O", r"h2o", Place.REVERSE),
        _row("LiteSpeed", r"(?:open)?litespeed|lshttpd", Place.REVERSE, "php",
             log="/usr/local/lsws/logs/access.log*"),
        # These have no access log, or an empty one: the web server in front of them has it.
        _row("PHP-FPM", r"php-fpm[\d.]*|php-cgi[\d.]*|lsphp[\d.]*|frankenphp", Place.APPLICATION,
             "php", log=f"{_NGINX} {_APACHE}"),
        _row("Gunicorn", r"gunicorn3?|uvicorn|hypercorn|daphne|waitress-serve|granian",
             Place.APPLICATION, "python", log=f"{_NGINX} {_APACHE}"),
        _row("uWSGI", r"uwsgi.*|unitd?", Place.APPLICATION,
             "python", "php", "ruby", "perl", "java", "node", log=f"{_NGINX} {_APACHE}"),
        _row("Puma", r"puma|unicorn.*|thin|passenger.*|Passenger.*|rainbows|falcon",
             Place.APPLICATION, "ruby", log=f"{_NGINX} {_APACHE}"),
        _row("Starman", r"starman|starlet|plackup", Place.APPLICATION, "perl",
             log=f"{_NGINX} {_APACHE}"),
        _row("Chrome", r"(?:google-)?chrom(?:e|ium)(?:-.*)?|headless[_-]shell", Place.BROWSER),
        _row("Firefox", r"firefox(?:-.*)?", Place.BROWSER),
        _row("wkhtmltopdf", r"wkhtmlto(?:pdf|image)|phantomjs|slimerjs", Place.BROWSER),
    )  # fmt: skip


def maybe_server(names: Iterable[str]) -> Optional[Server]:
    """Return the server that one of a program's names (without a path) is, the first that fits."""
    for name in names:
        title = name.partition(":")[0]  # `nginx: worker process`, `gunicorn: worker [app]`
        for each in _servers():
            if each.names.fullmatch(title):
                return each
    return None
