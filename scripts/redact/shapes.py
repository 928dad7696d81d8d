"""Secrets that give themselves away by their shape, wherever they stand: data, with the issuer of each.

The shapes are those that the issuers document and that the scanners gitleaks and detect-secrets know. Lengths are lower
bounds: a log may have cut the end off, and an issuer may lengthen its tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from scripts.redact.mask import MASK, compiled


@dataclass(frozen=True, slots=True)
class Shape:
    """What the secrets of an issuer look like. ``secret`` is the group to mask; a text without a hint has none."""

    issuer: str
    pattern: str
    hints: tuple[str, ...]


def masked(text: str) -> str:
    """``text`` without the secrets of a known shape."""
    for shape in SHAPES:
        if any(hint in text for hint in shape.hints):
            text = compiled(shape.pattern).sub(_masked, text)
    return text


def _masked(found: re.Match[str]) -> str:
    start, end = (at - found.start() for at in found.span("secret"))
    return f"{found[0][:start]}{MASK}{found[0][end:]}"


def _shape(issuer: str, pattern: str, *hints: str) -> Shape:
    return Shape(issuer, pattern, hints)


def _token(issuer: str, prefixes: str, rest: str) -> Shape:
    """A token that begins with one of ``prefixes`` (literals with blanks between them)."""
    starts = prefixes.split()
    either = "|".join(re.escape(start) for start in starts)
    return _shape(issuer, rf"(?<![A-Za-z0-9])(?P<secret>(?:{either}){rest})", *starts)


_WORD: Final = r"[A-Za-z0-9_-]"
_BASE64: Final = r"[A-Za-z0-9+/]"

SHAPES: Final = (
    # What the command line and the console of AWS print side by side. Before the id itself, by which it is found.
    _shape(
        "AWS, secret beside its id",
        rf"(?:AKIA|ASIA)[A-Z0-9]{{16}}(?=[\s,:;|\"'])[^\n=]{{1,60}}?(?<![\w+/=-])"
        rf"(?P<secret>(?![0-9a-f]{{40}}){_BASE64}{{40}})(?![\w+/=-])",
        "AKIA",
        "ASIA",
    ),
    _token("AWS, id of an access key", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{12,}"),
    _token("AWS, key of Bedrock", "ABSK", rf"{_BASE64}{{40,}}=*"),
    _token("1Password, secret key", "A3-", r"[A-Z0-9]{6}-[A-Z0-9-]{20,}"),
    _token("1Password, service account", "ops_eyJ", rf"{_BASE64}{{20,}}=*"),
    _token("age", "AGE-SECRET-KEY- AGE-PLUGIN-", r"[A-Z0-9-]{1,}"),
    _token("Adobe", "p8e-", r"[A-Za-z0-9]{32}"),
    _token("Airtable", "pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{40,}"),
    _token("Alibaba", "LTAI", r"[A-Za-z0-9]{12,}"),
    _token("Anthropic", "sk-ant-", rf"{_WORD}{{16,}}"),
    _token("Artifactory", "AKCp cmVmd", r"[A-Za-z0-9]{40,}"),
    _token("Atlassian", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=-]{20,}"),
    _token("Clojars", "CLOJARS_", r"[A-Za-z0-9]{32,}"),
    _token("Cloudflare, origin CA", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{32,}"),
    _token("Contentful", "CFPAT-", rf"{_WORD}{{16,}}"),
    _token("Databricks", "dapi", r"[a-f0-9]{32}"),
    _token("DigitalOcean", "dop_v1_ doo_v1_ dor_v1_", r"[a-f0-9]{20,}"),
    _token("Docker Hub", "dckr_pat_ dckr_oat_", rf"{_WORD}{{16,}}"),
    _token("Doppler", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{20,}"),
    _token("Duffel", "duffel_test_ duffel_live_", r"[A-Za-z0-9_=-]{20,}"),
    _token("Dynatrace", "dt0c01. dt0s01. dt0s16.", r"[A-Za-z0-9.]{24,}"),
    _token("EasyPost", "EZAK EZTK", r"[A-Za-z0-9]{40,}"),
    _token("Facebook", "EAAM EAAC", r"[A-Za-z0-9]{40,}"),
    _token("Figma", "figd_ figo_", rf"{_WORD}{{16,}}"),
    _token("Flutterwave", "FLWSECK_TEST- FLWSECK-", r"[A-Za-z0-9-]{12,}"),
    _token("Fly.io", "fo1_ fm1a_ fm1r_ fm2_", r"[A-Za-z0-9+/=_-]{20,}"),
    _token("Frame.io", "fio-u-", r"[A-Za-z0-9_=-]{20,}"),
    _token("GitHub", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"[A-Za-z0-9_]{16,}"),
    _token(
        "GitLab",
        "glpat- gldt- glft- glsoat- glrt- glrtr- glcbt- glptt- glimt- glagent- gloas- glffct- glwt- GR1348941",
        r"[A-Za-z0-9_.-]{16,}",
    ),
    _token("GitLab, session", "_gitlab_session=", r"[A-Za-z0-9]{16,}"),
    _token("Google, API key", "AIza", rf"{_WORD}{{24,}}"),
    _token("Google, OAuth", "ya29. GOCSPX- 1//0", rf"{_WORD}{{16,}}"),
    _token("Grafana", "glsa_ glc_", r"[A-Za-z0-9+/_=]{20,}"),
    _token("Groq", "gsk_", r"[A-Za-z0-9]{24,}"),
    _token("Harness", "pat. sat.", rf"{_WORD}{{22}}\.[A-Za-z0-9]{{20,}}\.[A-Za-z0-9]{{16,}}"),
    _token("Heroku", "HRKU-", rf"{_WORD}{{20,}}"),
    _token("Hugging Face", "hf_ api_org_", r"[A-Za-z0-9]{24,}"),
    _token("Infracost, Prefect", "ico- pnu_ pnb_", r"[A-Za-z0-9]{24,}"),
    _token("Linear", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{20,}"),
    _token("Mailgun", "key- pubkey-", r"[a-z0-9]{32}(?![A-Za-z0-9])"),
    _token("Netlify", "nfp_ nfc_", r"[A-Za-z0-9]{20,}"),
    _token("New Relic", "NRAK- NRII- NRJS- NRAA- NRRA-", r"[A-Za-z0-9-]{16,}"),
    _token("Notion", "ntn_", r"[A-Za-z0-9]{24,}"),
    _token("npm", "npm_", r"[A-Za-z0-9]{20,}"),
    _token("Octopus Deploy", "API-", r"[A-Z0-9]{24,}"),
    _token("OpenAI", "sk-proj- sk-svcacct- sk-admin- sk-or-", rf"{_WORD}{{16,}}"),
    _token("OpenAI, earlier keys", "sk-", r"[A-Za-z0-9]{24,}"),
    _token("OpenShift", "sha256~", rf"{_WORD}{{32,}}"),
    _token("Perplexity", "pplx-", r"[A-Za-z0-9]{24,}"),
    _token("PlanetScale", "pscale_tkn_ pscale_oauth_ pscale_pw_", r"[A-Za-z0-9_=.-]{16,}"),
    _token("Postman", "PMAK-", r"[A-Za-z0-9-]{24,}"),
    _token("Pulumi", "pul-", r"[a-f0-9]{20,}"),
    _token("PyPI", "pypi-AgE", rf"{_WORD}{{16,}}"),
    _token("ReadMe", "rdme_", r"[a-z0-9]{32,}"),
    _token("Replicate", "r8_", r"[A-Za-z0-9]{24,}"),
    _token("RubyGems", "rubygems_", r"[a-f0-9]{32,}"),
    _token("SendGrid", "SG.", rf"{_WORD}{{12,}}\.{_WORD}{{12,}}"),
    _token("Brevo", "xkeysib- xsmtpsib-", r"[A-Za-z0-9-]{24,}"),
    _token("Sentry", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_]{24,}"),
    _token("Shippo", "shippo_live_ shippo_test_", r"[A-Fa-f0-9]{24,}"),
    _token("Shopify", "shpat_ shpca_ shppa_ shpss_", r"[A-Fa-f0-9]{24,}"),
    _token("Slack", "xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.xoxb- xoxe.xoxp- xapp-", r"[\w%-]{8,}"),
    _token("Sourcegraph", "sgp_", r"[A-Za-z0-9_]{32,}"),
    _token("Square", "sq0atp- sq0csp- sq0idp- EAAA", rf"{_WORD}{{20,}}"),
    _token("Stripe", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ whsec_", r"[A-Za-z0-9+/=]{10,}"),
    _token("Supabase", "sbp_ sb_secret_", r"[A-Za-z0-9_]{20,}"),
    _token("Tailscale", "tskey-", r"[A-Za-z0-9-]{16,}"),
    _token("Twilio", "SK AC", r"[a-z0-9]{32}(?::[a-z0-9]{32})?(?![A-Za-z0-9])"),
    _token("Typeform", "tfp_", r"[A-Za-z0-9_.=-]{24,}"),
    _token("Vault", "hvs. hvb. hvr.", rf"{_WORD}{{16,}}"),
    _token("Yandex", "AQVN", rf"{_WORD}{{32,}}"),
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
        "ailgun",
        "AILGUN",
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
        "infura.io",
        "alchemy.com",
    ),
    _shape("Pulumi, encrypted value", r"(?<![\w.])v1:(?P<secret>[A-Za-z0-9+/]{12,}=*:[A-Za-z0-9+/]{16,}=*)", "v1:"),
    _shape("PagerDuty, webhook", r"pagerduty\.com/integration/(?P<secret>\w{16,})", "pagerduty.com/"),
    _shape("Sentry, DSN", r"://(?P<secret>[0-9a-f]{32})@", "://"),
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
)  # fmt: skip
