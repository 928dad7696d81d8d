"""What an environment tells the program about itself.

The embedded environment decides some facts only when it comes up: which images it built, where its AWS endpoint
listens. It writes them into a file; a stack with ``crypto:embedded`` reads that file, and its values stand in for the
settings that production states in its own stack file.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class EnvironmentFile(BaseModel):
    """The file's content. ``images`` maps an image's name to its full reference.

    ``backup_signers`` has the public key of each signer of backups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)

    images: dict[str, str] = Field(min_length=1)
    kube_context: str
    aws_endpoint: str
    backup_public_key: str | None = None
    backup_signers: dict[str, str] | None = None
