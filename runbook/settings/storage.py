"""Settings of the backups and of the AWS account."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from runbook import practices, thresholds
from runbook.formats import (
    BucketName,
    DnsLabel,
    Fraction,
    KeyPrefix,
    PublicKey,
    Region,
    Switch,
    WebAddress,
    Whole,
    form,
)
from runbook.settings.base import Model, Resources

PublicKeys = Annotated[
    tuple[PublicKey, ...],
    Field(
        min_length=1, description="public keys of Ed25519 (32 bytes in base64): the present one, and those before it"
    ),
]


class BackupSigners(Model):
    """Whose signatures are taken: of manifests those of the job that backs the kind up, of proofs the verifier's."""

    postgres: PublicKeys
    redis: PublicKeys
    resources: PublicKeys
    verify: PublicKeys

    @property
    def by_name(self) -> dict[str, tuple[str, ...]]:
        """The public keys of each signer."""
        return {"postgres": self.postgres, "redis": self.redis, "resources": self.resources, "verify": self.verify}

    @model_validator(mode="after")
    def _no_key_signs_for_two(self) -> Self:
        owner: dict[str, str] = {}
        for name, keys in self.by_name.items():
            for key in keys:
                if owner.setdefault(key, name) != name:
                    raise ValueError(
                        f"{key} is a key of {owner[key]} and of {name}; each signer has keys of its own, so that a job "
                        "that is stolen signs for no other"
                    )
        return self


class BackupSettings(Model):
    """Where backups go. ``bucket`` is also the name of the S3 bucket that the program declares."""

    bucket: Annotated[
        BucketName,
        # Its roles are named after it, and IAM's names have at most 64 characters.
        Field(max_length=54, description="3 to 54 characters: roles and other buckets are named after it"),
    ]
    prefix: KeyPrefix = "crypto-analytics/"
    retention_days: Whole = Field(default=thresholds.BACKUP_RETENTION.count, ge=1, le=36500)
    shrink_share: Fraction = Field(
        default=practices.BACKUP_SHRINK.value,
        ge=0,
        le=1,
        description="share of the rows, keys or objects before, below which a backup supersedes none until a person "
        "accepts it",
    )
    public_key: str | None = form(
        r"^age1[a-z0-9]{58}$",
        "what age-keygen prints as the public key: age1 and 58 letters and digits",
        default=None,
        description="age recipient that backups are encrypted for; its private key is the Secret secrets.backupKey",
    )
    signers: BackupSigners | None = Field(
        default=None,
        description="who signs backups and proofs; the private keys are the Secrets secrets.signingPostgres, "
        "signingRedis, signingResources and signingVerify. Left out: nothing is signed",
    )
    object_lock_days: Whole = Field(
        default=0,
        ge=0,
        le=36500,
        description="days in which nobody, not even the account's administrator, can delete a backup; 0 for none",
    )
    replica_region: Region | None = Field(default=None, description="a second region that gets a copy")
    force_destroy: Switch = Field(
        default=False, description="let `pulumi destroy` empty the bucket; never in production"
    )
    resources: Resources = Resources(cpu_request="500m", memory_request="512Mi", memory_limit="1Gi")

    @model_validator(mode="after")
    def _lock_ends_before_retention(self) -> Self:
        if self.object_lock_days > self.retention_days:
            raise ValueError(
                f"objectLockDays {self.object_lock_days} is above retentionDays {self.retention_days}; "
                "backups could not be deleted when they are due"
            )
        return self


class AwsSettings(Model):
    """The AWS account. ``endpoint`` and ``credentials_secret`` belong to environments without AWS."""

    region: Region
    endpoint: WebAddress | None = None
    credentials_secret: DnsLabel | None = None
    oidc_provider_arn: str | None = form(
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$",
        "an ARN like arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE",
        default=None,
        description="IAM provider of the cluster's service-account tokens; pods get their IAM role by it",
    )
