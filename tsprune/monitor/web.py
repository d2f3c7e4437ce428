"""HTTP as a careful client: https or this machine, a time limit, no redirects, answers of bounded length."""

from __future__ import annotations

import http.client
import ipaddress
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tsprune.monitor.errors import BadJob, Refused, Temporary
from tsprune.monitor.secrets import expand, mask

#: Bytes of an answer at the most.
LARGEST = 2**28


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """An address that is asked or told something."""

    url: str
    token: str | None = None
    allow_http: bool = False
    timeout: float = 10.0

    def check(self) -> str:
        """The URL without a slash at its end.

        Raises
        ------
        BadJob
            If it is not https, not on this machine, and http is not allowed.
        """
        url = expand(self.url).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadJob(f"the url {mask(url)!r} is not of the form https://host/...")
        if parts.scheme == "http" and not self.allow_http and not _is_local(parts.hostname):
            raise BadJob(f"the url {mask(url)!r} is not encrypted. Use https, or say allow_http = true where the network is trusted.")
        return url

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """POST a body and return the answer.

        Raises
        ------
        Refused
            If the server answers with 4xx, other than too early, too many, or time over.
        Temporary
            If it cannot be reached, is late, or answers with anything else than 2xx.
        """
        request = urllib.request.Request(self.check() + path, data=body, headers=headers, method="POST")  # noqa: S310
        if self.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout) as answer:
                content: bytes = answer.read(LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                told = error.read(300).decode("utf-8", "replace")
            what = f"{mask(self.url)} answered {error.code}: {mask(told)}"
            final = 400 <= error.code < 500 and error.code not in (401, 403, 404, 408, 425, 429)
            raise (Refused if final else Temporary)(what) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Temporary(f"{mask(self.url)} cannot be reached: {mask(str(error))}") from error
        if len(content) > LARGEST:
            raise Temporary(f"{mask(self.url)} answered with more than {LARGEST >> 20} MB. Ask for fewer series.")
        return content


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
