from __future__ import annotations

import re

import pytest

from chalicelib.core.sns import TOPIC_ARN, SnsMessage, is_amazons, is_certificate
from chalicelib.intake import sns
from tests.sns_messages import CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, envelope, subscription

PEM = CERTIFICATE_URL.rpartition("/")[2]


def message(document: dict[str, str]) -> SnsMessage:
    found = sns.parse(document, {})
    assert found is not None
    return found


def test_the_signed_text_of_a_notification_by_amazons_description() -> None:
    document = {
        "Type": "Notification",
        "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64",
        "TopicArn": "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P",
        "Subject": "My subject",
        "Message": "My Test Message",
        "Timestamp": "2019-01-31T04:37:04.321Z",
        "SignatureVersion": "1",
        "Signature": "AAAA",
        "SigningCertURL": CERTIFICATE_URL,
    }
    expected = (
        "Message\nMy Test Message\nMessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\nSubject\nMy subject\n"
        "Timestamp\n2019-01-31T04:37:04.321Z\n"
        "TopicArn\narn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P\nType\nNotification\n"
    )
    assert message(document).signed_text().decode() == expected
    del document["Subject"]
    without = expected.replace("Subject\nMy subject\n", "")
    assert message(document).signed_text().decode() == without


def test_the_signed_text_of_a_subscription_has_its_url_and_token() -> None:
    names = message(subscription(Message="m", MessageId="1")).signed_text().decode().splitlines()[::2]
    assert names == ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]


def test_what_is_not_signed_is_not_in_the_text() -> None:
    text = message(envelope("m", SubscribeURL="https://elsewhere.example")).signed_text()
    assert b"elsewhere" not in text


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL,
        f"https://sns.us-gov-west-1.amazonaws.com/{PEM}",
        f"https://sns.cn-north-1.amazonaws.com.cn/{PEM}",
        f"https://sns.ap-southeast-2.amazonaws.com:443/{PEM}",
    ],
)
def test_urls_of_sns(url: str) -> None:
    assert is_amazons(url)
    assert is_certificate(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://sns.eu-central-1.amazonaws.com/{PEM}",
        "https://sns.eu-central-1.amazonaws.com",
        f"https://sns.eu-central-1.amazonaws.com.evil.example/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com@evil.example/{PEM}",
        f"https://evil.example/sns.eu-central-1.amazonaws.com/{PEM}",
        f"https://evil.example#sns.eu-central-1.amazonaws.com/{PEM}",
        f"https://user:pass@sns.eu-central-1.amazonaws.com/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com:8443/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com\\@evil.example/{PEM}",
        f"https://sns.amazonaws.com/{PEM}",
        f"https://s3.eu-central-1.amazonaws.com/{PEM}",
        f"https://sns.evil.amazonaws.com/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com/{PEM}\n",
        f"https://sns.eu-central-1.amazonaws.com\t/{PEM}",
        f"https://sns.eu-central-1xamazonaws.com/{PEM}",
    ],
)
def test_urls_of_others(url: str) -> None:
    assert not is_amazons(url)
    assert not is_certificate(url)


@pytest.mark.parametrize(
    "url",
    [
        SUBSCRIBE_URL,
        "https://sns.eu-central-1.amazonaws.com/?x=a.pem",
        f"https://sns.eu-central-1.amazonaws.com/?Action=GetEndpointAttributes&EndpointArn=arn&x=/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com/{PEM}?x",
        f"https://sns.eu-central-1.amazonaws.com/{PEM}#x",
        f"https://sns.eu-central-1.amazonaws.com/a/{PEM}",
        f"https://sns.eu-central-1.amazonaws.com/..//{PEM}",
        "https://sns.eu-central-1.amazonaws.com/a.pem",
    ],
)
def test_what_sns_says_elsewhere_is_no_certificate(url: str) -> None:
    """It may quote what somebody had it keep, with a certificate among it."""
    assert is_amazons(url)
    assert not is_certificate(url)


@pytest.mark.parametrize(
    ("arn", "fits"),
    [
        (TOPIC, True),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:a.fifo", True),
        ("arn:aws:sqs:eu-central-1:123456789012:alarms", False),
        ("arn:aws:sns:eu-central-1:123456789012:", False),
        ("arn:aws:sns:eu-central-1:123456789012:a/b", False),
    ],
)
def test_the_names_of_topics(arn: str, fits: bool) -> None:
    assert (re.fullmatch(TOPIC_ARN, arn) is not None) is fits
