"""Admission policies: rights on workloads are no rights on Secrets (section 7.1)."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.admissionregistration import v1

from components import ops_jobs
from components.access import grants
from components.context import Context, child
from components.rights import start_pods
from runbook import admission
from runbook.admission import Subjects
from runbook.sections import Section

_SECTION = Section.ACCESS_REVIEW


def subjects(context: Context) -> Subjects:
    """The groups of people and the accounts of jobs whose rights are enough to start pods of their own making."""
    settings = context.settings
    accounts = (args.name for args in ops_jobs.all_jobs(settings) if start_pods(args.rights))
    return Subjects(
        tuple(grant.group for grant in grants(context) if start_pods(grant.rights)),
        tuple(f"system:serviceaccount:{settings.namespace}:{name}" for name in accounts),
    )


class Admission(pulumi.ComponentResource):
    """The policies and their bindings."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:admission:Admission", name, None, opts)
        namespace = context.settings.namespace
        declared, prefix = admission.freeze(namespace, subjects(context)), f"{namespace}-"
        policies = {
            policy: v1.ValidatingAdmissionPolicy(
                f"{name}-{policy.removeprefix(prefix)}",
                v1.ValidatingAdmissionPolicyInitArgs(
                    metadata=context.cluster_metadata(policy, "access", _SECTION), spec=spec
                ),
                child(self),
            )
            for policy, spec in declared.policies.items()
        }
        for binding, spec in declared.bindings.items():
            v1.ValidatingAdmissionPolicyBinding(
                f"{name}-{binding.removeprefix(prefix)}-binding",
                v1.ValidatingAdmissionPolicyBindingInitArgs(
                    metadata=context.cluster_metadata(binding, "access", _SECTION), spec=spec
                ),
                child(self, depends_on=[policies[spec["policyName"]]]),
            )
        self.register_outputs({"policies": sorted(policies)})
