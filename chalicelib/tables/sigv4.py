"""Signature Version 4 of the one kind of request that ``signed_reads`` makes: a POST of JSON to DynamoDB.

Source:
    AWS Identity and Access Management, user guide: "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Whose request it is.

    Attributes:
        token: of temporary keys, None with lasting ones.
    """

    access: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)


def signed(headers: Mapping[str, str], body: bytes, keys: Keys, region: str, at: datetime) -> dict[str, str]:
    """Return the headers of a POST to "/" together with those that sign it.

    Args:
        headers: all that are to be signed, the host among them; names in lower case, values without spaces
            at their ends or several in a row.
        at: now, in UTC; AWS takes what is off by five minutes at most.
    """
    stamp = f"{at:%Y%m%dT%H%M%SZ}"
    all_ = {**headers, "x-amz-date": stamp}
    if keys.token is not None:
        all_["x-amz-security-token"] = keys.token
    names = sorted(all_)
    lines = "".join(f"{name}:{all_[name]}\n" for name in names)
    request = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/dynamodb/aws4_request"
    said = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = _hmac(_signing_key(keys.secret, stamp[:8], region), said).hex()
    all_["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature}"
    )
    return all_


@lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    """Return what a day's requests are signed with; keys change with the day, or when they expire."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, "dynamodb", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, said: str) -> bytes:
    return hmac.digest(key, said.encode(), "sha256")
