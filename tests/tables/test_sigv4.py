"""Signatures are held to botocore's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.tables.sigv4 import Keys, signed

_words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
_keys = st.builds(Keys, access=_words, secret=_words, token=st.none() | _words)
_regions = st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
_hosts = st.sampled_from(["dynamodb.us-east-1.amazonaws.com", "127.0.0.1:4566"])
_targets = st.sampled_from(["DynamoDB_20120810.Query", "DynamoDB_20120810.GetItem"])
_moments = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (naive bounds are asked for)


@given(_keys, _regions, _hosts, _targets, st.binary(max_size=300), _moments)
def test_a_request_is_signed_as_botocore_signs_it(
    keys: Keys, region: str, host: str, target: str, body: bytes, at: datetime
) -> None:
    headers = {"host": host, "content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    assert signed(headers, body, keys, region, at) == _by_botocore(headers, body, keys, region, at)


def _by_botocore(
    headers: dict[str, str], body: bytes, keys: Keys, region: str, at: datetime
) -> dict[str, str]:
    """Sign as SigV4Auth.add_auth does, which takes no other time than its own."""
    request = AWSRequest("POST", f"https://{headers['host']}/", headers=headers, data=body)
    request.context["timestamp"] = f"{at:%Y%m%dT%H%M%SZ}"
    auth: Any = SigV4Auth(ReadOnlyCredentials(keys.access, keys.secret, keys.token), "dynamodb", region)
    auth._modify_request_before_signing(request)
    said = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(said, request))
    return {name.lower(): value for name, value in request.headers.items()}


def test_keys_do_not_show_what_is_secret() -> None:
    assert "dear" not in repr(Keys(access="a", secret="dear", token="dearest"))
