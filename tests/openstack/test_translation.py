from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests_mock
from keystoneauth1.exceptions import (
    ClientException,
    ConnectFailure,
    ConnectTimeout,
    EndpointNotFound,
    HttpError,
)
from keystoneauth1.session import Session

from chalicelib.openstack.translation import cloud_error, refused, sentence, twice
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable
from dev.simcloud import Effect, Fault, SimCloud

URL = "http://nova.test/servers"
NOVA_QUOTA = "Quota exceeded for instances: Requested 10, but already used 7 of 8 instances"


def failure_of(ask: Callable[[], object]) -> ClientException:
    with pytest.raises(ClientException) as caught:
        ask()
    return caught.value


def answer(**how: Any) -> HttpError:
    """Return what keystoneauth raises for an answer."""
    with requests_mock.Mocker() as nova:
        nova.post(URL, **how)
        error = failure_of(lambda: Session().post(URL, json={}))
    assert isinstance(error, HttpError)
    return error


@pytest.mark.parametrize(
    ("status", "document", "reason", "over_quota"),
    [
        (400, {"badRequest": {"message": "Flavor nope could not be found."}}, "Flavor nope could", False),
        (403, {"forbidden": {"code": 403, "message": NOVA_QUOTA}}, NOVA_QUOTA, True),
        (
            413,
            {"overLimit": {"message": "Quota exceeded, too many servers in group"}},
            "Quota exceeded",
            True,
        ),
        (403, {"forbidden": {"message": "Policy doesn't allow it"}}, "Policy doesn't allow it", False),
        (400, {"badRequest": {"message": "quota is no field"}}, "quota is no field", False),
        (404, {"itemNotFound": {"message": "Instance x could not be found."}}, "Instance x", False),
        (409, {"conflictingRequest": {"message": "Instance x is locked"}}, "Instance x is locked", False),
        (403, {"error": {"message": "You are not authorized."}}, "You are not authorized.", False),
        (403, {"message": "of no known shape"}, "HTTP status 403", False),
        (400, {}, "HTTP status 400", False),
        (400, [], "HTTP status 400", False),
    ],
)
def test_a_refusal_carries_the_clouds_own_sentence(
    status: int, document: object, reason: str, over_quota: bool
) -> None:
    error = cloud_error(answer(status_code=status, json=document))
    assert isinstance(error, CloudRefused)
    assert error.reason.startswith(reason)
    assert error.over_quota is over_quota


@pytest.mark.parametrize(
    ("status", "headers", "done", "retry_after"),
    [
        (429, {"Retry-After": "7"}, False, timedelta(seconds=7)),
        (429, {}, False, None),
        (408, {}, False, None),
        (500, {}, True, None),
        (502, {}, True, None),
        (503, {"Retry-After": "30"}, True, timedelta(seconds=30)),
        (503, {"Retry-After": "99999999"}, True, timedelta(hours=1)),
        (503, {"Retry-After": "-1"}, True, None),
        (504, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, True, None),
    ],
)
def test_a_busy_or_broken_cloud_is_unavailable_and_may_have_done_it_anyway_if_it_broke(
    status: int, headers: dict[str, str], done: bool, retry_after: timedelta | None
) -> None:
    error = cloud_error(answer(status_code=status, headers=headers, text="<html>Sorry</html>"))
    assert isinstance(error, CloudUnavailable)
    assert error.reason == f"HTTP status {status}"
    assert error.certainly_not_done is not done
    assert error.retry_after == retry_after


def test_a_404_of_a_proxy_says_nothing_of_the_thing_that_was_asked_for() -> None:
    error = answer(status_code=404, text="<h1>Not Found</h1>")
    assert not refused(error)
    assert isinstance(cloud_error(error), CloudUnavailable)


def test_a_long_answer_is_cut_and_its_line_breaks_are_gone() -> None:
    error = answer(status_code=400, json={"badRequest": {"message": "no\n\n good " + "x" * 5000}})
    assert sentence(error).startswith("no good xxx")
    assert len(sentence(error)) == 300


def test_what_was_asked_is_not_quoted_for_it_may_be_secret() -> None:
    message = "Invalid input for field/attribute user_data. Value: c2VjcmV0. 'c2VjcmV0' is not a 'base64'"
    error = answer(status_code=400, json={"badRequest": {"message": message}})
    assert sentence(error) == "Invalid input for field/attribute user_data."


def test_a_connection_that_is_refused_left_nothing_done() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        error = cloud_error(failure_of(lambda: Session().post(url, json={})))
    assert isinstance(error, CloudUnavailable)
    assert error.certainly_not_done


def test_a_connection_that_breaks_after_the_request_was_sent_may_have_left_it_done(cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.DROP))
    error = cloud_error(failure_of(lambda: Session().post(f"{cloud.auth_url}/auth/tokens", json={})))
    assert isinstance(error, CloudUnavailable)
    assert not error.certainly_not_done


def test_an_answer_that_does_not_come_in_time_may_have_left_it_done(cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.DELAY, delay_seconds=0.5))
    error = cloud_error(
        failure_of(lambda: Session(timeout=0.1).post(f"{cloud.auth_url}/auth/tokens", json={}))
    )
    assert isinstance(error, CloudUnavailable)
    assert not error.certainly_not_done
    assert error.reason == "The cloud did not answer."


def test_any_other_failure_is_named_and_nothing_is_known_of_it() -> None:
    error = cloud_error(EndpointNotFound())
    assert isinstance(error, CloudUnavailable)
    assert "EndpointNotFound" in error.reason
    assert not error.certainly_not_done


def test_a_broken_connection_is_tried_once_more() -> None:
    failures = iter([ConnectFailure()])

    def ask() -> str:
        for failure in failures:
            raise failure
        return "answer"

    assert twice(ask) == "answer"


def test_a_connection_that_breaks_twice_is_given_up() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise ConnectFailure

    with pytest.raises(ConnectFailure):
        twice(ask)
    assert len(asked) == 2


@pytest.mark.parametrize("failure", [ConnectTimeout(), HttpError()])
def test_what_timed_out_or_was_answered_is_not_tried_again(failure: ClientException) -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise failure

    with pytest.raises(type(failure)):
        twice(ask)
    assert len(asked) == 1
