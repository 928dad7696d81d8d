"""Certificates: one identity per component, kept over restarts, renewed when they must be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from local.cluster.pki import LEAF_DAYS, RENEW_BEFORE, ensure_pki, leaves
from local.paths import Instance

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("crypto", 3, tmp_path, tmp_path)


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def organizations(found: x509.Certificate) -> list[str | bytes]:
    return [attribute.value for attribute in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def test_a_second_look_issues_nothing(instance: Instance, tmp_path: Path) -> None:
    first = ensure_pki(instance, tmp_path, "crypto", NOW)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(first) == len(leaves(instance, "crypto")) + 3
    assert ensure_pki(instance, tmp_path, "crypto", NOW) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_every_file_is_readable_by_its_owner_only(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}


def test_only_the_administrator_is_one(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    masters = [
        leaf.name
        for leaf in leaves(instance, "crypto")
        if "system:masters" in organizations(certificate(tmp_path, leaf.name))
    ]
    assert masters == ["admin"]


def test_kube_proxy_has_an_identity_of_its_own_in_its_kubeconfig(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    document = json.loads((tmp_path / "kube-proxy.kubeconfig").read_text())
    pem = (tmp_path / document["users"][0]["user"]["client-certificate"]).read_bytes()
    found = x509.load_pem_x509_certificate(pem)
    assert found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:kube-proxy"
    assert organizations(found) == []
    assert document["clusters"][0]["cluster"]["server"] == instance.api_url


def test_the_api_server_is_valid_under_every_address_that_leads_to_it(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    names = certificate(tmp_path, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.231.3.2", "10.96.3.1"}
    assert "kubernetes.default" in names.get_values_for_type(x509.DNSName)


def test_the_front_proxy_is_vouched_for_by_another_authority(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    proxy = certificate(tmp_path, "front-proxy-client")
    proxy.verify_directly_issued_by(certificate(tmp_path, "front-proxy-ca"))
    with pytest.raises(ValueError, match="match"):
        proxy.verify_directly_issued_by(certificate(tmp_path, "ca"))


def test_certificates_about_to_expire_are_renewed_and_the_authority_is_kept(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    expiry = NOW + timedelta(days=LEAF_DAYS)
    assert ensure_pki(instance, tmp_path, "crypto", expiry - RENEW_BEFORE - timedelta(minutes=1)) == []
    issued = ensure_pki(instance, tmp_path, "crypto", expiry - RENEW_BEFORE + timedelta(minutes=1))
    assert set(issued) == {leaf.name for leaf in leaves(instance, "crypto")}


def test_another_address_renews_the_certificates_that_name_it(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    moved = replace(instance, slot=4)
    assert set(ensure_pki(moved, tmp_path, "crypto", NOW)) == {"apiserver", "kubelet-server", "metrics-server-tls"}
    assert moved.api_url in (tmp_path / "admin.kubeconfig").read_text()


def test_a_lost_authority_renews_all_that_it_had_signed(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    (tmp_path / "ca.key").unlink()
    issued = ensure_pki(instance, tmp_path, "crypto", NOW + timedelta(seconds=1))
    assert "front-proxy-client" not in issued
    assert {"ca", "admin", "node", "apiserver"} <= set(issued)
    certificate(tmp_path, "admin").verify_directly_issued_by(certificate(tmp_path, "ca"))


@pytest.mark.parametrize("name", ["admin.key", "admin.crt"])
def test_a_damaged_file_is_issued_again(instance: Instance, tmp_path: Path, name: str) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    (tmp_path / name).write_bytes(b"-----BEGIN nothing")
    assert ensure_pki(instance, tmp_path, "crypto", NOW) == ["admin"]


def test_the_service_account_key_is_never_replaced_while_it_is_there(instance: Instance, tmp_path: Path) -> None:
    ensure_pki(instance, tmp_path, "crypto", NOW)
    before = (tmp_path / "sa.key").read_bytes()
    ensure_pki(instance, tmp_path, "crypto", NOW + timedelta(days=4000))
    assert (tmp_path / "sa.key").read_bytes() == before
