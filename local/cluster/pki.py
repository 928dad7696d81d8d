"""Certificates, keys and kubeconfigs of the cluster, made in Python and kept over restarts.

Two authorities: the cluster's own, and the front proxy's (the API server's identity towards aggregated API servers must
not be one that any client certificate of the cluster could claim).
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.paths import Instance

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
# A cluster may stay up for a month without its certificates running out under it.
RENEW_BEFORE = timedelta(days=30)
CLUSTER_CA = "ca"
FRONT_PROXY_CA = "front-proxy-ca"
ADMIN = "admin"
LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Leaf:
    """A certificate to issue: file name, subject, the names it serves under, and whether a kubeconfig has it."""

    name: str
    common_name: str
    organization: str | None = None
    addresses: tuple[IPv4Address, ...] = ()
    dns_names: tuple[str, ...] = ()
    server: bool = False
    client: bool = True
    kubeconfig: bool = False
    authority: str = CLUSTER_CA


def leaves(instance: Instance, node_name: str) -> tuple[Leaf, ...]:
    """Every certificate of the cluster: one identity per component, none of them an administrator but `admin`."""
    service = "kubernetes.default.svc.cluster.local"
    api_names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", service)
    node = instance.node_address
    return (
        Leaf(
            "apiserver", "kube-apiserver", server=True, client=False, dns_names=api_names,
            addresses=(LOOPBACK, node, instance.kubernetes_address),
        ),
        Leaf("control-plane", "control-plane", None, (LOOPBACK,), ("localhost",), True, False),
        Leaf("kubelet-server", f"system:node:{node_name}", "system:nodes", (node, LOOPBACK), (node_name,), True, False),
        Leaf("metrics-server-tls", "metrics-server", None, (node,), ("metrics-server.kube-system.svc",), True, False),
        Leaf("apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
        Leaf("front-proxy-client", "front-proxy-client", authority=FRONT_PROXY_CA),
        Leaf(ADMIN, "local-admin", "system:masters", kubeconfig=True),
        Leaf("controller-manager", "system:kube-controller-manager", kubeconfig=True),
        Leaf("scheduler", "system:kube-scheduler", kubeconfig=True),
        Leaf("node", f"system:node:{node_name}", "system:nodes", kubeconfig=True),
        Leaf("kube-proxy", "system:kube-proxy", kubeconfig=True),
        Leaf("coredns", "system:coredns", kubeconfig=True),
        Leaf("metrics-server", "system:metrics-server", kubeconfig=True),
        Leaf("network-policies", "system:network-policies", kubeconfig=True),
        Leaf("provisioner", "system:volume-provisioner", kubeconfig=True),
    )  # fmt: skip


def ensure_pki(instance: Instance, folder: Path, node_name: str, now: datetime | None = None) -> list[str]:
    """Issue what is missing, broken, about to expire or made for other addresses; return the names issued.

    Everything is written 0600. `folder` gets <name>.crt, <name>.key, <name>.kubeconfig, sa.key and sa.pub.
    """
    moment = now or datetime.now(UTC)
    issued: list[str] = []
    authorities: dict[str, tuple[x509.Certificate, ec.EllipticCurvePrivateKey]] = {}
    for name in (CLUSTER_CA, FRONT_PROXY_CA):
        pair = _load(folder, name)
        if pair is None or _expires_soon(pair[0], moment):
            pair = _make_authority(folder, name, moment)
            issued.append(name)
        authorities[name] = pair
    if not (folder / "sa.key").exists() or not (folder / "sa.pub").exists():
        _make_service_account_key(folder)
        issued.append("sa")
    for leaf in leaves(instance, node_name):
        ca, ca_key = authorities[leaf.authority]
        pair = _load(folder, leaf.name)
        if pair is None or _expires_soon(pair[0], moment) or not _matches(pair[0], leaf, ca):
            _make_leaf(folder, leaf, ca, ca_key, moment)
            issued.append(leaf.name)
        if leaf.kubeconfig:
            write_private(folder / f"{leaf.name}.kubeconfig", _kubeconfig(instance, folder, leaf.name))
    return issued


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, mode 0600; a file with this content already stays untouched."""
    if path.exists() and path.read_bytes() == content and path.stat().st_mode & 0o777 == 0o600:
        return
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
    temporary.replace(path)


def _load(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _expires_soon(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now < RENEW_BEFORE


def _matches(certificate: x509.Certificate, leaf: Leaf, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    if certificate.subject != _subject(leaf):
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not (leaf.addresses or leaf.dns_names)
    addresses = set(names.get_values_for_type(x509.IPAddress))
    return addresses == set(leaf.addresses) and set(names.get_values_for_type(x509.DNSName)) == set(leaf.dns_names)


def _subject(leaf: Leaf) -> x509.Name:
    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization)] if leaf.organization else []
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Five minutes of leeway for a clock that is set back while the cluster starts.
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not sign_certificates,
        data_encipherment=False, key_agreement=False, key_cert_sign=sign_certificates, crl_sign=sign_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _make_authority(folder: Path, name: str, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps a renewed authority apart from the one it replaces in every trust store.
    label = f"{name} {now:%Y%m%d%H%M%S}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_pair(folder, name, certificate, key)
    return certificate, key


def _make_leaf(
    folder: Path, leaf: Leaf, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] if leaf.server else []
    usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if leaf.client else []
    builder = (
        _builder(_subject(leaf), ca.subject, key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    names: list[x509.GeneralName] = [x509.IPAddress(address) for address in leaf.addresses]
    names += [x509.DNSName(name) for name in leaf.dns_names]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write_pair(folder, leaf.name, builder.sign(ca_key, hashes.SHA256()), key)


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(folder / f"{name}.key", _key_pem(key))
    write_private(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _make_service_account_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(folder / "sa.key", _key_pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_private(folder / "sa.pub", public)


def _kubeconfig(instance: Instance, folder: Path, user: str) -> bytes:
    def part(name: str, file: str) -> dict[str, str]:
        # The administrator's is copied to elsewhere. Python takes keys from files only, and a daemon that is killed
        # would leave its copy of one behind.
        if user == ADMIN:
            return {f"{name}-data": base64.b64encode((folder / file).read_bytes()).decode()}
        return {name: file}

    # JSON is YAML, and needs no quoting rules.
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": instance.name,
        "clusters": [
            {
                "name": instance.name,
                "cluster": {"server": instance.api_url, **part("certificate-authority", f"{CLUSTER_CA}.crt")},
            }
        ],
        "users": [
            {
                "name": f"{instance.name}-{user}",
                "user": {**part("client-certificate", f"{user}.crt"), **part("client-key", f"{user}.key")},
            }
        ],
        "contexts": [{"name": instance.name, "context": {"cluster": instance.name, "user": f"{instance.name}-{user}"}}],
    }
    return (json.dumps(document, indent=2) + "\n").encode()
