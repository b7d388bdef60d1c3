"""Clients of AWS's APIs, by botocore alone: boto3 on top of it would cost a cold start 140 ms more."""

from __future__ import annotations

import functools
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 4, "mode": "standard"})


def client(service: str, region: str | None) -> Any:
    """Return a client of ``service``; a region of None leaves it to the environment."""
    return session().create_client(service, region_name=region, config=_CONFIG)


@functools.cache
def session() -> Session:
    """Return the session that all clients share; a second one would read botocore's data again."""
    return get_session()
