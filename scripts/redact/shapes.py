"""Secrets that give themselves away by their shape, wherever they stand: data, with the issuer of each.

The shapes are those that the issuers document and that the scanners gitleaks and detect-secrets know. Lengths are lower
bounds: a log may have cut the end off, and an issuer may lengthen its tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from scripts.redact.rules import Rule, Rules

# No secret of these shapes is shorter.
_LONG_WORD: Final = re.compile(r"\S{11}")


def masked(text: str) -> str:
    """``text`` without the secrets of a known shape."""
    return SHAPES.masked(text, text) if _LONG_WORD.search(text) else text


def _shape(issuer: str, pattern: str, *hints: str) -> Rule:
    return Rule(issuer, pattern, hints)


def _token(issuer: str, prefixes: str, rest: str) -> Rule:
    """A token that begins with one of ``prefixes`` (literals with blanks between them)."""
    starts = prefixes.split()
    either = "|".join(re.escape(start) for start in starts)
    return _shape(issuer, rf"(?<![A-Za-z0-9])(?P<secret>(?:{either}){rest})", *starts)


def _tokens(prefixes: Mapping[str, str], rest: str) -> Rule:
    """The tokens of several issuers with the same signs after their prefixes."""
    return _token(", ".join(prefixes), " ".join(prefixes.values()), rest)


_WORD: Final = r"[A-Za-z0-9_-]"
_BASE64: Final = r"[A-Za-z0-9+/]"

# Prefixes that no other word has: what follows may be all signs of base64, in parts with dots between them.
_CERTAIN: Final = {
    "1Password": "ops_eyJ", "Anthropic": "sk-ant-", "Atlassian": "ATATT3 ATCTT3 ATBB", "Bedrock": "ABSK",
    "Brevo": "xkeysib- xsmtpsib-", "Clojars": "CLOJARS_", "Contentful": "CFPAT-",
    "DigitalOcean": "dop_v1_ doo_v1_ dor_v1_", "Docker Hub": "dckr_pat_ dckr_oat_",
    "Doppler": "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", "Duffel": "duffel_test_ duffel_live_",
    "Dynatrace": "dt0c01. dt0s01. dt0s16.", "Figma": "figd_ figo_",
    "Flutterwave": "FLWSECK_TEST- FLWSECK-", "Fly.io": "fo1_ fm1a_ fm1r_ fm2_", "Frame.io": "fio-u-",
    "GitHub": "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
    "GitLab": "glpat- gldt- glft- glsoat- glrt- glrtr- glcbt- glptt- glimt- glagent- gloas- glffct- glwt- GR1348941",
    "GitLab, session": "_gitlab_session=", "Google": "AIza ya29. GOCSPX- 1//0", "Grafana": "glsa_ glc_",
    "Heroku": "HRKU-", "Linear": "lin_api_ lin_oauth_", "New Relic": "NRAK- NRII- NRJS- NRAA- NRRA-",
    "OpenAI": "sk-proj- sk-svcacct- sk-admin- sk-or-", "OpenShift": "sha256~",
    "PlanetScale": "pscale_tkn_ pscale_oauth_ pscale_pw_", "Postman": "PMAK-", "PyPI": "pypi-AgE",
    "RubyGems": "rubygems_", "Sentry": "sntrys_ sntryu_",
    "Shippo": "shippo_live_ shippo_test_", "Shopify": "shpat_ shpca_ shppa_ shpss_",
    "Square": "sq0atp- sq0csp- sq0idp-", "Supabase": "sbp_ sb_secret_", "Tailscale": "tskey-",
    "Vault": "hvs. hvb. hvr.", "Yandex": "AQVN",
}  # fmt: skip
# Prefixes that other words may have: letters and digits follow, without another sign.
_LIKELY: Final = {
    "Adobe": "p8e-", "Alibaba": "LTAI", "Artifactory": "AKCp cmVmd", "Databricks": "dapi", "EasyPost": "EZAK EZTK",
    "Facebook": "EAAM EAAC", "Groq": "gsk_", "Hugging Face": "hf_ api_org_", "Infracost": "ico-",
    "Netlify": "nfp_ nfc_", "Notion": "ntn_", "npm": "npm_", "Perplexity": "pplx-", "Prefect": "pnu_ pnb_",
    "Pulumi": "pul-", "ReadMe": "rdme_",
    "Replicate": "r8_", "Sourcegraph": "sgp_", "Square": "EAAA", "Typeform": "tfp_", "OpenAI, earlier keys": "sk-",
}  # fmt: skip

SHAPES: Final = Rules((
    # What the command line and the console of AWS print side by side. Before the id itself, by which it is found.
    _shape(
        "AWS, secret beside its id",
        rf"(?:AKIA|ASIA)[A-Z0-9]{{16}}(?=[\s,:;|\"'])[^\n=]{{1,60}}?(?<![\w+/=-])"
        rf"(?P<secret>(?![0-9a-f]{{40}}){_BASE64}{{40}})(?![\w+/=-])",
        "AKIA", "ASIA",
    ),
    _token("AWS, id of an access key", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{12,}"),
    _tokens(_CERTAIN, rf"[\w+/-]{{12,}}(?:\.{_WORD}+)*=*"),
    _tokens(_LIKELY, r"(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{20,}"),
    _token("1Password, secret key", "A3-", r"[A-Z0-9]{6}-[A-Z0-9-]{20,}"),
    _token("age", "AGE-SECRET-KEY- AGE-PLUGIN-", r"[A-Z0-9-]{1,}"),
    _token("Airtable", "pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{40,}"),
    _token("Cloudflare, origin CA", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{32,}"),
    _token("Harness", "pat. sat.", rf"{_WORD}{{22}}\.[A-Za-z0-9]{{20,}}\.[A-Za-z0-9]{{16,}}"),
    _token("Mailgun", "key- pubkey-", r"[a-z0-9]{32}(?![A-Za-z0-9])"),
    _token("Octopus Deploy", "API-", r"[A-Z0-9]{24,}"),
    _token("SendGrid", "SG.", rf"{_WORD}{{12,}}\.{_WORD}{{12,}}"),
    _token("Slack", "xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.xoxb- xoxe.xoxp- xapp-", r"[\w%-]{8,}"),
    _token("Stripe", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ whsec_", r"[A-Za-z0-9+/=]{10,}"),
    _token("Twilio", "SK AC", r"[a-z0-9]{32}(?::[a-z0-9]{32})?(?![A-Za-z0-9])"),
    _token("BIP 32, private key of a wallet", "xprv yprv zprv tprv uprv vprv", r"[1-9A-HJ-NP-Za-km-z]{50,}"),
    # A JSON web token, whole or cut off, signed or encrypted; the second one is in base64 once more.
    _token("RFC 7519", "eyJ", rf"{_WORD}{{8,}}=*(?:\.[A-Za-z0-9_=-]*)*"),
    _token("RFC 7519, in base64", "ZXlK", rf"{_BASE64}{{24,}}=*"),
    # "-----BEGIN " in base64, unless CERTIFICATE or PUBLIC follows.
    _token("RFC 7468, in base64", "LS0tLS1CRUdJTiB", rf"(?!DRVJUSUZJQ0FUR|QVUJMSUM){_BASE64}{{12,}}=*"),
    _shape("HashiCorp, Terraform Cloud", r"(?<![\w.])(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{20,})", ".atlasv1."),
    _shape("Azure, client secret", r"(?<![\w.~-])(?P<secret>[\w.~]{3}\dQ~[\w.~-]{24,40})", "Q~"),
    _shape("Vault, earlier tokens", r"(?<![\w.'/-])(?P<secret>[sbr]\.[A-Za-z0-9]{24,})(?![\w.])", "s.", "b.", "r."),
    _shape("Mailchimp", r"(?<![A-Za-z0-9])(?P<secret>[0-9a-f]{32}-us\d{1,2})(?!\w)", "-us"),
    _shape(
        "Mailgun, signing key",
        r"(?<![\w-])(?P<secret>[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})(?![\w-])",
        "ailgun", "AILGUN",
    ),
    _shape("MaxMind", r"(?<![A-Za-z0-9])(?P<secret>[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)", "_mmk"),
    _shape("Discord, bot", r"(?<![\w-])(?P<secret>[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{25,45})(?![\w-])", "."),
    _shape("Telegram, bot", r"(?<![\w:.])(?:bot)?(?P<secret>\d{8,10}:[A-Za-z0-9_-]{33,40})(?![\w-])", ":"),
    # Who knows the address of a webhook may post to it.
    _shape("Discord, webhook", r"/api/(?:v\d{1,2}/)?webhooks/(?P<secret>\d{5,25}/[\w-]{8,})", "/webhooks/"),
    _shape("Slack, webhook", r"hooks\.slack\.com/(?P<secret>[\w/+-]{3,})", "hooks.slack.com/"),
    _shape("Microsoft, webhook", r"\.office(?:365)?\.com/(?P<secret>webhook[\w/@%-]{8,})", ".office.com", "office365"),
    _shape("Mattermost and Rocket.Chat, webhook", r"/hooks/(?P<secret>[A-Za-z0-9]{15,}(?:/[A-Za-z0-9]+)?)", "/hooks/"),
    _shape(
        "Infura and Alchemy",
        r"\.(?:infura\.io|alchemy\.com)/(?:v\d|nft/v\d|ws/v\d)/(?P<secret>[\w-]{16,})",
        "infura.io", "alchemy.com",
    ),
    _shape("Pulumi, encrypted value", r"(?<![\w.])v1:(?P<secret>[A-Za-z0-9+/]{12,}=*:[A-Za-z0-9+/]{16,}=*)", "v1:"),
    _shape("PagerDuty, webhook", r"pagerduty\.com/integration/(?P<secret>\w{16,})", "pagerduty.com/"),
    # What a server keeps of a password lets its owner be guessed at leisure.
    _shape("PostgreSQL and Kafka, SCRAM", r"(?P<secret>SCRAM-SHA-(?:1|256|512)\$\d+:[\w+/=$:]{8,})", "SCRAM-SHA-"),
    _shape("PostgreSQL, MD5", r"(?<![\w-])(?P<secret>md5[0-9a-f]{32})(?!\w)", "md5"),
    _shape(
        "crypt(3)",
        r"(?<![\w$])(?P<secret>\$(?:2[abxy]?|apr1|[156y]|argon2i?d?|scrypt|pbkdf2[\w-]{0,16})\$[\w./=,$+-]{8,})",
        "$",
    ),
    _shape("RFC 2307, hash", r"(?P<secret>\{S?(?:SHA|MD5|CRYPT)\d{0,3}\}[\w+/=$.]{8,})", "SHA", "MD5}", "CRYPT}"),
    _shape("MySQL, hash of a password", r"(?<=['\"])(?P<secret>\*[0-9A-F]{40})(?=\\?['\"])", "*"),
    _shape("Redis, hash of a password", r"(?<=[\s'\"])#(?P<secret>[0-9a-f]{64})(?!\w)", "#"),
))  # fmt: skip
