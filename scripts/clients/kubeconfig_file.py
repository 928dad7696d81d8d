"""What kubeconfigs say, read and merged as kubectl does (1.37): cluster and user of the current context.

The official client (release 35) takes the last file's current context where kubectl takes the first one's, refuses an
empty file and fields without a value, and takes numbers for tokens.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from runbook import formats
from scripts.clients import directory

_PLUGIN_APIS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES: Final = ("Never", "IfAvailable", "Always")
_TOLD: Final = {
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be a text; put it in quotes",
}
# kubectl knows no other any more.
_PROVIDERS: Final = ("oidc",)


class _Loader(yaml.CSafeLoader):
    """What looks like a day or a time is a text, as kubectl reads it."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class Part(BaseModel):
    """A map whose fields are optional, and of exactly their types; one without a value is like one that is missing."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in cast("dict[Any, object]", given).items() if value is not None}

    def given(self, *fields: str) -> dict[str, Any]:
        """These fields under the names that they have in the file, as far as they say something."""
        return self.model_dump(include=set(fields), by_alias=True, exclude_defaults=True)

    def in_folder(self, folder: Path, *fields: str) -> Self:
        """With absolute paths in these fields, which are relative to the folder of their file."""
        paths = {field: getattr(self, field) for field in fields}
        return self.model_copy(update={field: str(folder / path) for field, path in paths.items() if path})


def _is_base64(text: str) -> str:
    base64.b64decode("".join(text.split()), validate=True)
    return text


_Data = Annotated[str, AfterValidator(_is_base64)]


class Cluster(Part):
    """A cluster; ``extensions`` may have what its plugin is told."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: _Data = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])


class Variable(Part):
    """A variable of a plugin's environment."""

    name: str = ""
    value: str = ""


class Plugin(Part):
    """A program that logs in (``exec``)."""

    api_version: str = Field(default="", alias="apiVersion")
    command: str = ""
    args: list[str] = Field(default_factory=list[str])
    env: list[Variable] = Field(default_factory=list[Variable])
    install_hint: str = Field(default="", alias="installHint")
    provide_cluster_info: bool = Field(default=False, alias="provideClusterInfo")
    interactive_mode: str = Field(default="", alias="interactiveMode")


class Provider(Part):
    """A way to log in that is built into the client; its tokens change."""

    name: str = ""
    config: dict[str, str] = Field(default_factory=dict[str, str])


class User(Part):
    """A login, and how it acts as another user (``as``)."""

    client_certificate: str = ""
    client_certificate_data: _Data = ""
    client_key: str = ""
    client_key_data: _Data = ""
    token: str = ""
    token_file: str = Field(default="", alias="tokenFile")
    act_as: str = Field(default="", alias="as")
    as_uid: str = ""
    as_groups: list[str] = Field(default_factory=list[str])
    as_user_extra: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    username: str = ""
    password: str = ""
    auth_provider: Provider | None = None
    exec: Plugin | None = None


class _Context(Part):
    cluster: str = ""
    user: str = ""


class _Entry(Part):
    name: str = ""


class _NamedCluster(_Entry):
    cluster: Cluster = Cluster()


class _NamedUser(_Entry):
    user: User = User()


class _NamedContext(_Entry):
    context: _Context = _Context()


_Entries = TypeVar("_Entries", bound=_Entry)


class _File(Part):
    api_version: Literal["v1"] = Field(default="v1", alias="apiVersion")
    kind: Literal["Config"] = "Config"
    clusters: list[_NamedCluster] = Field(default_factory=list[_NamedCluster])
    users: list[_NamedUser] = Field(default_factory=list[_NamedUser])
    contexts: list[_NamedContext] = Field(default_factory=list[_NamedContext])
    current_context: str = ""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        kinds: dict[str, Sequence[_Entry]] = {"clusters": self.clusters, "users": self.users, "contexts": self.contexts}
        for kind, entries in kinds.items():
            for name, count in Counter(entry.name for entry in entries).items():
                if count > 1:
                    raise ValueError(f"{kind} has {name!r} {count} times; rename or remove one")
        return self

    def absolute(self, folder: Path) -> _File:
        """With absolute paths; a plugin without a slash in its name is found by PATH."""
        clusters = [
            entry.model_copy(update={"cluster": entry.cluster.in_folder(folder, "certificate_authority")})
            for entry in self.clusters
        ]
        users = [entry.model_copy(update={"user": _user_in(folder, entry.user)}) for entry in self.users]
        return self.model_copy(update={"clusters": clusters, "users": users})


def _user_in(folder: Path, user: User) -> User:
    plugin = user.exec
    if plugin is not None and os.sep in plugin.command:
        plugin = plugin.in_folder(folder, "command")
    return user.in_folder(folder, "client_certificate", "client_key", "token_file").model_copy(update={"exec": plugin})


@dataclass(frozen=True, slots=True)
class Chosen:
    """Cluster and user of the current context, with absolute paths; ``file`` has the user, under ``user_name``."""

    cluster: Cluster
    user: User
    user_name: str
    file: Path | None

    def keep(self, tokens: Mapping[str, str]) -> None:
        """Write tokens of the user's provider that were renewed: some issuers take each refresh token once."""
        if self.file is None:
            return
        document = _document(self.file)
        entry = next(entry for entry in document["users"] if entry["name"] == self.user_name)
        entry["user"]["auth-provider"]["config"] = dict(tokens)
        # Whole or not at all, and behind a link: it has the logins of other clusters, too.
        with directory.replacing(self.file.resolve()) as target:
            target.write(yaml.safe_dump(document, default_flow_style=False).encode())


def choose(name: str) -> Chosen:
    """What the files whose paths ``name`` lists choose; the first one that has an entry or a choice wins.

    Raises:
        OSError, YAMLError: a file cannot be read, or is no YAML document.
        ValueError: it says what kubectl refuses, or ops does not do.
    """
    paths = [Path(part).expanduser() for part in name.split(os.pathsep) if part]
    files = {path: _read(path) for path in paths if path.exists()}
    current = next((file.current_context for file in files.values() if file.current_context), "")
    if not current:
        raise ValueError("it has no current-context; choose one with kubectl config use-context")
    _, entry = _named("contexts", current, {path: file.contexts for path, file in files.items()})
    context = entry.context
    _, cluster = _named("clusters", context.cluster, {path: file.clusters for path, file in files.items()})
    _check_cluster(cluster.cluster)
    if not context.user or not cluster.cluster.server.lower().startswith("https:"):
        # kubectl logs in over TLS alone.
        return Chosen(cluster.cluster, User(), "", None)
    path, user = _named("users", context.user, {path: file.users for path, file in files.items()})
    _check_user(user.user)
    return Chosen(cluster.cluster, user.user, context.user, path)


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(_document(path)).absolute(path.absolute().parent)
    except ValidationError as error:
        raise ValueError(f"{path.name}: {explained(error)}") from None


def explained(error: ValidationError) -> str:
    """The first field that is wrong, and why; its value may be a secret."""
    detail = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    told = _TOLD.get(detail["type"]) or formats.told(detail)
    return f"{place} {told}".strip()


def _document(path: Path) -> Any:
    """The document; an empty one is one without entries."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        return json.loads(text)
    except ValueError:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        return {} if found is None else found


def _named(kind: str, name: str, entries: Mapping[Path, Sequence[_Entries]]) -> tuple[Path, _Entries]:
    for path, listed in entries.items():
        for entry in listed:
            if entry.name == name:
                return path, entry
    known = ", ".join(sorted({entry.name for listed in entries.values() for entry in listed})) or "none"
    raise ValueError(f"{kind} has no {name!r}; there are: {known}")


def _check_cluster(cluster: Cluster) -> None:
    authorities = (cluster.certificate_authority, cluster.certificate_authority_data)
    if cluster.insecure_skip_tls_verify and any(authorities):
        raise ValueError("insecure-skip-tls-verify and certificate-authority exclude one another; remove one of them")
    _check_once("certificate-authority", *authorities)


def _check_once(field: str, path: str, data: str) -> None:
    if path and data:
        raise ValueError(f"{field} and {field}-data are both given; remove one of them")


def _check_user(user: User) -> None:
    """Refuse what kubectl refuses, and what would act with other rights than kubectl does."""
    for field in user.given("act_as", "as_uid", "as_groups", "as_user_extra"):
        raise ValueError(f"{field} asks to act as another user, which ops does not; remove it, or give ops a login")
    _check_once("client-certificate", user.client_certificate, user.client_certificate_data)
    _check_once("client-key", user.client_key, user.client_key_data)
    if (user.client_certificate or user.client_certificate_data) and not (user.client_key or user.client_key_data):
        raise ValueError("client-certificate is given without client-key; give both")
    if user.token and (user.username or user.password):
        raise ValueError("token and username are both given; remove one of them")
    if user.auth_provider is not None and user.exec is not None:
        raise ValueError("auth-provider and exec are both given; remove one of them")
    if user.auth_provider is not None and user.auth_provider.name not in _PROVIDERS:
        raise ValueError(f"auth-provider {user.auth_provider.name} is unknown; use a plugin (exec) or oidc")
    if user.exec is not None:
        _check_plugin(user.exec)


def _check_plugin(plugin: Plugin) -> None:
    if not plugin.command:
        raise ValueError("exec.command is missing; give it the plugin's program")
    if plugin.api_version not in _PLUGIN_APIS:
        raise ValueError(f"exec.apiVersion is {plugin.api_version!r}; allowed: {', '.join(_PLUGIN_APIS)}")
    # The older version has a default.
    allowed = _MODES if plugin.api_version == _PLUGIN_APIS[0] else ("", *_MODES)
    if plugin.interactive_mode not in allowed:
        raise ValueError(f"exec.interactiveMode is {plugin.interactive_mode!r}; allowed: {', '.join(_MODES)}")
    if not all(variable.name for variable in plugin.env):
        raise ValueError("exec.env has a variable without a name; give it one")
