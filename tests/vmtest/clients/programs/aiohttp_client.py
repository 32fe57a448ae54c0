"""aiohttp: without a token, for one, and with it or again without."""

from __future__ import annotations

import asyncio
import os

import aiohttp

URL = os.environ["IMDS_URL"]
TIMEOUT = aiohttp.ClientTimeout(total=int(os.environ["IMDS_TIMEOUT_S"]))


async def ask(session: aiohttp.ClientSession, method: str, path: str, **headers: str) -> str | None:
    """Return the body of an answer that is a success."""
    try:
        async with session.request(method, URL + path, headers=headers) as response:
            return await response.text() if response.status == 200 else None
    except asyncio.TimeoutError:
        return None


async def main() -> None:
    """Ask both ways."""
    path = "/latest/meta-data/instance-id"
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        await ask(session, "GET", path)
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = await ask(session, "PUT", "/latest/api/token", **ttl)
        await ask(session, "GET", path, **({"X-aws-ec2-metadata-token": token} if token else {}))


asyncio.run(main())
