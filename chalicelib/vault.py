"""Owners' secrets, encrypted by AWS KMS for one project and one id: nowhere else can they be opened.

And our own, which Secrets Manager keeps.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import client
from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import ProjectId
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class KmsVault:
    """Seals with one KMS key; the sealed text is base64.

    Args:
        key: id, ARN or alias of the key.
        region: None leaves it to the environment.
    """

    def __init__(self, key: str, region: str | None = None) -> None:
        self._key = key
        self._kms: KMSClient = client("kms", region)

    def seal(self, project_id: ProjectId, id_: str, secret: str) -> str:
        """Return ``secret`` encrypted, as text.

        Raises:
            Unavailable: KMS does not answer, or does not let us use the key.
        """
        try:
            answer = self._kms.encrypt(
                KeyId=self._key, Plaintext=secret.encode(), EncryptionContext=_context(project_id, id_)
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable() from error
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def open(self, project_id: ProjectId, id_: str, sealed: str) -> str:
        """Return what was sealed for the same project and id.

        Raises:
            CredentialBroken: this was not sealed by this key for this project and id.
            Unavailable: KMS does not answer, or does not let us use the key.
        """
        try:
            answer = self._kms.decrypt(
                KeyId=self._key,
                CiphertextBlob=base64.b64decode(sealed, validate=True),
                EncryptionContext=_context(project_id, id_),
            )
        except (binascii.Error, self._kms.exceptions.InvalidCiphertextException) as error:
            raise CredentialBroken("The stored secret cannot be decrypted.", for_good=True) from error
        except (BotoCoreError, ClientError) as error:
            raise _unavailable() from error
        return answer["Plaintext"].decode()


def password(secret: str, region: str | None = None) -> str:
    """Return the service user's password, which is the text of ``secret`` in AWS Secrets Manager.

    Raises:
        CloudUnavailable: Secrets Manager does not answer, or does not let us read it.
    """
    try:
        answer = client("secretsmanager", region).get_secret_value(SecretId=secret)
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(
            f"Thermostat cannot read its own password in Secrets Manager ({type(error).__name__}).",
            certainly_not_done=True,
        ) from error
    return str(answer["SecretString"])


def _context(project_id: ProjectId, id_: str) -> dict[str, str]:
    return {"project": project_id, "id": id_}


def _unavailable() -> Unavailable:
    return Unavailable("vault.unavailable", "Secrets cannot be read or written now.", retry_after_seconds=5)
