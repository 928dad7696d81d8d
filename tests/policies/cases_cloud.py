"""Cases of the rules about policies of AWS: every spelling of everything, and what narrows it.

The examples of AWS stand beside the page that has them.
"""

from __future__ import annotations

import json
from typing import Any

from policies.plain import SECRET
from tests.policies.cases import Case, Waiting
from tests.policies.stack import Declared
from tests.policies.stack_parts import BUCKET_ARN, allowing

ACCOUNT = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
_RULE = "iam-no-wildcards"
_TLS = "bucket-tls-only"


def holder(**changed: Any) -> Case:
    """A statement in the policy of a role."""
    return (_RULE, ("iam-policy", "policy", allowing(**changed)))


def trust(principal: Any, **changed: Any) -> Case:
    """A statement about who may become a role."""
    stated = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **changed}
    return (_RULE, ("iam-role", "assumeRolePolicy", json.dumps({"Statement": [stated]})))


def of_bucket(condition: Any = None, **changed: Any) -> Case:
    """A statement of a bucket's policy, for everybody."""
    return (_RULE, ("bucket-policy", "policy", allowing(Principal="*", Condition=condition or {}, **changed)))


def other(kind: str, **properties: Any) -> Case:
    """A resource of another kind beside the good stack."""
    module, name = kind.split("/")
    token = f"{module}/{name[:1].lower()}{name[1:]}:{name}"
    return (_RULE, ("other", "", Declared(token, "other", properties)))


def attached(policy: str) -> str:
    """The ARN of a policy that AWS keeps."""
    return f"arn:aws:iam::aws:policy/{policy}"


def document(**changed: Any) -> str:
    """A policy of one thing, for one account."""
    stated = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sqs:SendMessage", "Resource": "*", **changed}
    return json.dumps({"Statement": stated})


def refusing(*statements: dict[str, Any]) -> Case:
    """A bucket's policy of statements that refuse requests without TLS, each changed in some way."""
    stated: list[dict[str, Any]] = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            **changed,
        }
        for changed in statements
    ]
    return (_TLS, ("bucket-policy", "policy", json.dumps({"Statement": stated})))


_SECURE = "aws:SecureTransport"
_ISSUER = "token.actions.githubusercontent.com"
_GITHUB = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{_ISSUER}"}

PASSES: list[Case] = [
    # Service Authorization Reference: these know no resource but "*".
    *(
        holder(Action=action, Resource="*")
        for action in (
            *("ec2:DescribeInstances", "ec2:Describe*", "EC2:describeinst*", "autoscaling:Describe*", "logs:Describe*"),
            *("sts:GetCallerIdentity", "s3:ListAllMyBuckets", "kms:ListAliases", "ecr:GetAuthorizationToken"),
            *("cloudwatch:PutMetricData", ["tag:GetResources", "xray:PutTraceSegments"]),
        )
    ),
    *(
        holder(Action=action)
        for action in ("s3:PutObject*", "s3:Get*", "S3:LISTBUCKET", "kms:ReEncrypt*", "s3:Get?bject", ["s3:GetObject"])
    ),
    *(
        holder(Resource=resource)
        for resource in (
            *("arn:aws:s3:::backups-*", "arn:aws:s3:::backups/*", "arn:aws:ec2:*:*:instance/*", "arn:*:s3:::backups/*"),
            *("arn:aws:iam::111122223333:role/app/*", "arn:aws:logs:*:*:log-group:/crypto/*", [BUCKET_ARN]),
            *("arn:aws:iam::111122223333:user/${aws:username}", "arn:aws:s3:::backups/${*}", "arn:aws:sqs:*:1:jobs?"),
            "arn:aws:secretsmanager:*:*:secret:crypto-*",
        )
    ),
    # IAM User Guide, "Amazon EC2: allows managing instances by tag".
    holder(Action="ec2:TerminateInstances", Resource="*", Condition={"StringEquals": {"aws:ResourceTag/Owner": "ops"}}),
    holder(
        Action="ec2:StartInstances",
        Resource="*",
        Condition={"StringEquals": {"ec2:ResourceTag/Team": "${aws:PrincipalTag/Team}"}},
    ),
    holder(Action="kms:Decrypt", Resource="*", Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "a/b"}}),
    # IAM User Guide, "AWS global condition context keys", and Amazon S3 User Guide, "The meaning of public".
    *(
        of_bucket(condition)
        for condition in (
            ORGANIZATION,
            {"stringequals": {"AWS:principalorgid": ["o-a1b2c3d4e5", "o-f6g7h8i9j0"]}},
            {"StringLike": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
            {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}},
            {"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}},
            {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}},
            {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:{ACCOUNT}:*"}},
            {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::logs"}},
            {"StringLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
            {"StringLike": {"aws:userid": "AROAEXAMPLEID:*"}},
            {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
            {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32", "203.0.113.7"]}},
            {"Bool": {_SECURE: "true"}, **ORGANIZATION},
            {"StringEquals": {"s3:x-amz-acl": "private", "aws:PrincipalAccount": ACCOUNT}},
        )
    ),
    trust({"AWS": "*"}, Condition=ORGANIZATION),
    trust({"AWS": [ROOT, ACCOUNT]}),
    trust({"Service": "s3.amazonaws.com"}),
    trust(_GITHUB, Condition={"StringLike": {f"{_ISSUER}:sub": "repo:crypto/operations:*"}}),
    trust({"AWS": ROOT}, Effect="Deny", Action="*"),
    # AWS KMS Developer Guide, "Default key policy": the account itself; "*" is this key.
    other("aws:kms/Key", policy=document(Action="kms:*")),
    other("aws:kms/KeyPolicy", policy=document(Action=["kms:Create*", "kms:Put*"], Principal={"AWS": f"{ROOT[:-4]}x"})),
    other(
        "aws:kms/Key",
        policy=document(
            Action="kms:Decrypt", Principal={"AWS": "*"}, Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}}
        ),
    ),
    # Amazon SNS Developer Guide, the policy that a topic has from the beginning.
    other(
        "aws:sns/TopicPolicy",
        policy=document(
            Action="SNS:Publish", Principal={"AWS": "*"}, Condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
        ),
    ),
    other("aws:sqs/Queue", policy=""),
    other("aws:kms/Key"),
    *(
        other("aws:iam/RolePolicyAttachment", policyArn=attached(policy))
        for policy in ("service-role/AWSLambdaBasicExecutionRole", "AmazonS3ReadOnlyAccess", "AmazonEKSClusterPolicy")
    ),
    other("aws:iam/RolePolicyAttachment", policyArn=f"arn:aws:iam::{ACCOUNT}:policy/FullAccessOfOurs"),
    other("aws:lambda/Permission", principal="*", sourceArn="arn:aws:s3:::crypto"),
    other("aws:lambda/Permission", principal="s3.amazonaws.com"),
    refusing({"Condition": {"Bool": {_SECURE: ["false"]}}}),
    refusing({"Condition": {"BoolIfExists": {"AWS:securetransport": False}}}),
    refusing({"Action": ["s3:*"], "Principal": {"AWS": ["*"]}, "Resource": "*"}),
    refusing({"Action": "*", "Resource": f"{BUCKET_ARN}*", "Condition": {}}),
    refusing({"Resource": f"{BUCKET_ARN}/*"}, {"Resource": BUCKET_ARN}),
    refusing({"Resource": ["arn:aws-cn:s3:::crypto-backups", "arn:aws-cn:s3:::crypto-backups/*"]}),
    (
        _TLS,
        ("bucket-policy", "", None),
        ("bucket", "policy", refusing({})[1][2]),
    ),
]

_NOT_NARROW: list[Any] = [
    {"Bool": {_SECURE: "true"}},
    {"StringLike": {"aws:PrincipalOrgID": "*"}},
    {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
    {"StringLike": {"aws:userid": ":*"}},
    {"StringEquals": {"aws:PrincipalOrgID": []}},
    {"StringLike": {"aws:PrincipalOrgID": ["o-a1b2c3d4e5", "*"]}},
    {"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/"}},
    {"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}},
    {"StringEquals": {"aws:PrincipalTag/team": "ops"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:*"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::l*"}},
    {"ArnLike": {"aws:SourceArn": "arn:*:*"}},
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/31"]}},
    {"IpAddress": {"aws:SourceIp": "8.0.0.0/7"}},
    {"IpAddress": {"aws:SourceIp": "home"}},
    {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"Null": {"aws:PrincipalOrgID": "false"}},
]

FAILS: list[Case] = [
    *(
        holder(Action=action)
        for action in ("s3:**", "s3:?*", "iam:*Policy", "*:Get*", "*:*", "S?:GetObject", "s3:P*", "s3", "s3:", [3])
    ),
    holder(Action=["s3:GetObject", "S3:*"]),
    holder(Action=None, action="s3:*"),
    holder(Action=None, NotAction="s3:DeleteObject"),
    *(
        holder(Resource=resource)
        for resource in (
            *("**", "arn:*", "arn:aws:*", "arn:*:*", "arn:aws:s3:::*", "arn:aws:s3:::*/*", "arn:aws:s3:::?*"),
            *("arn:aws:s3:::*/secret.txt", "arn:aws:logs:*:*:*", "arn:aws:sqs:*:111122223333:*", "*:backups"),
            *("arn:aws:iam::111122223333:role/*", "arn:aws:kms:*:*:key/*", "arn:aws:secretsmanager:*:*:secret:*"),
            *("arn:aws:*:*:*:backups", [BUCKET_ARN, "arn:aws:s3:::*"]),
        )
    ),
    holder(Resource=None, NotResource=f"{BUCKET_ARN}/secret/*"),
    *(
        holder(Action=action, Resource="*")
        for action in ("ec2:Get*", "s3:List*", "iam:PassRole", "ec2:TerminateInstances", "s3:GetObject", "a:DescribeX")
    ),
    holder(Action=["s3:ListAllMyBuckets", "s3:GetObject"], Resource="*"),
    *(
        holder(Action="ec2:TerminateInstances", Resource="*", Condition=condition)
        for condition in (
            {"StringLike": {"aws:ResourceTag/Owner": "*"}},
            {"StringNotEquals": {"aws:ResourceTag/Owner": "ops"}},
            {"StringEqualsIfExists": {"aws:ResourceTag/Owner": "ops"}},
            {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}},
        )
    ),
    *map(of_bucket, _NOT_NARROW),
    *(
        (_RULE, ("bucket-policy", "policy", allowing(Principal=principal)))
        for principal in (["*"], {"AWS": [ROOT, "*"]}, {"Federated": "*"}, {"AWS": "arn:aws:iam::*:root"})
    ),
    (_RULE, ("bucket-policy", "policy", allowing(NotPrincipal={"AWS": ROOT}))),
    (_RULE, ("bucket-policy", "policy", {"Statement": [{"Effect": "Allow", "Principal": {"AWS": SECRET}}]})),
    (_RULE, ("bucket-policy", "policy", json.dumps({"Statement": ["Allow"]}))),
    (_RULE, ("bucket-policy", "policy", allowing(Action="s3:*", Principal={"AWS": ROOT}))),
    trust({"AWS": "*"}, Condition={"StringEquals": {"sts:ExternalId": "12345"}}),
    trust({"AWS": ROOT}, Action="sts:*"),
    trust(_GITHUB),
    trust(_GITHUB, Condition={"StringEquals": {f"{_ISSUER}:aud": "sts.amazonaws.com"}}),
    trust(_GITHUB, Condition={"StringLike": {f"{_ISSUER}:sub": "repo:*"}}),
    trust({"Federated": "cognito-identity.amazonaws.com"}),
    *(
        other(kind, policy=allowing(Action="*", Resource="*"))
        for kind in ("aws:iam/Policy", "aws:iam/UserPolicy", "aws:iam/GroupPolicy", "aws:iam/RolePolicy")
    ),
    other("aws:iam/UserPolicy"),
    other("aws:iam/Role", assumeRolePolicy=document(), inlinePolicies=[{"policy": allowing(Action="s3:*")}]),
    other("aws:iam/Role", assumeRolePolicy=document(), managedPolicyArns=[attached("AdministratorAccess")]),
    *(
        other(kind, policy=document(Principal={"AWS": "*"}))
        for kind in (
            *("aws:kms/Key", "aws:kms/KeyPolicy", "aws:sqs/Queue", "aws:sqs/QueuePolicy", "aws:sns/TopicPolicy"),
            *("aws:sns/Topic", "aws:ecr/RepositoryPolicy", "aws:secretsmanager/SecretPolicy", "aws:s3/AccessPoint"),
            *("aws:secretsmanager/Secret", "aws:efs/FileSystemPolicy", "aws:backup/VaultPolicy", "aws:s3/BucketV2"),
        )
    ),
    other("aws:opensearch/Domain", accessPolicies=document(Principal="*")),
    other("aws:sqs/QueuePolicy", policy=document(Action="sqs:*", Principal={"AWS": [ROOT, f"{ROOT[:-4]}user/ada"]})),
    other("aws:sqs/QueuePolicy", policy=document(Action="sqs:*", Principal={"Service": "sns.amazonaws.com"})),
    other("aws:cloudwatch/LogResourcePolicy", policyDocument=document(Action="logs:PutLogEvents")),
    *(
        other(f"aws:iam/{kind}PolicyAttachment", policyArn=attached(policy))
        for kind, policy in (
            *(("Role", "AdministratorAccess"), ("User", "IAMFullAccess"), ("Group", "PowerUserAccess")),
            *(("", "AmazonS3FullAccess"), ("Role", "job-function/DatabaseAdministrator")),
        )
    ),
    other("aws:iam/RolePolicyAttachmentsExclusive", policyArns=["x", attached("AdministratorAccess-Amplify")]),
    other("aws:lambda/Permission", principal="*"),
    other("aws:lambda/Permission", principal="*", sourceArn=""),
    other("aws:lambda/LayerVersionPermission", principal="*"),
    *(
        refusing(changed)
        for changed in (
            {"Resource": f"{BUCKET_ARN}/nothing"},
            {"Resource": f"{BUCKET_ARN}/*"},
            {"Resource": BUCKET_ARN},
            {"Resource": ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]},
            {"Resource": None, "NotResource": f"{BUCKET_ARN}/secret/*"},
            {"Resource": "arn:aws:s3:::*/*"},
            {"Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]},
            {"Action": "s3:Get*"},
            {"Action": None, "NotAction": "s3:RestoreObject"},
            {"Action": "iam:*"},
            {"Principal": {"AWS": ROOT}},
            {"Principal": None, "NotPrincipal": {"AWS": ROOT}},
            {"Effect": "Allow"},
            {"Condition": {"Bool": {_SECURE: "true"}}},
            {"Condition": {"Bool": {_SECURE: ["true"]}}},
            {"Condition": {"Null": {_SECURE: "false"}}},
            {"Condition": {"Bool": {_SECURE: "false", "aws:ViaAWSService": "false"}}},
            {"Condition": {"Bool": {_SECURE: "false"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        )
    ),
    (
        _TLS,
        ("bucket-policy", "", None),
        ("bucket", "policy", refusing({"Action": "s3:Get*"})[1][2]),
    ),
]

_STATEMENT = ("policy", "Statement", 0)

WAITS: list[Waiting] = [
    *(
        (_RULE, "user-policy", (*_STATEMENT, *path))
        for path in ((), ("Effect",), ("Action",), ("Action", 0), ("Resource",), ("Condition",))
    ),
    (_RULE, "user-policy", (*_STATEMENT, "Condition", "StringEquals")),
    (_RULE, "user-policy", (*_STATEMENT, "Condition", "StringEquals", "aws:ResourceTag/Owner")),
    (_RULE, "queue-policy", (*_STATEMENT, "Principal")),
    (_RULE, "queue-policy", (*_STATEMENT, "Principal", "AWS")),
    (_RULE, "queue-policy", (*_STATEMENT, "Condition", "StringEquals", "aws:PrincipalOrgID")),
    *((_TLS, "bucket-policy", (*_STATEMENT, name)) for name in ("Effect", "Principal", "Action", "Resource")),
    (_TLS, "bucket-policy", (*_STATEMENT, "Resource", 0)),
    (_TLS, "bucket-policy", (*_STATEMENT, "Condition", "Bool", _SECURE)),
    ("iam-no-wildcards", "attachment", "policyArn"),
    ("iam-no-wildcards", "permission", "principal"),
    ("iam-no-wildcards", "permission", "sourceAccount"),
]
