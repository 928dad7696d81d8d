"""Secrets that what stands around them gives away: statements, headers, elements, files of passwords, sentences.

Each frame is data: where it is from, a pattern with the group ``secret``, and what a text without it lacks.
"""

from __future__ import annotations

import re
from typing import Final

from scripts.redact import names, values
from scripts.redact.rules import Certain, Rule, Rules
from scripts.redact.values import Value


def masked(text: str) -> str:
    """``text`` without the secrets of these frames."""
    return FRAMES.masked(text, text.lower())


def _is_value(found: re.Match[str]) -> bool:
    return not values.harmless(Value(0, 0, found["secret"], quoted=True))


def _is_random(found: re.Match[str]) -> bool:
    return values.random(found["secret"])


def _is_login(found: re.Match[str]) -> bool:
    return values.login(found["secret"])


def _like_a_token(found: re.Match[str]) -> bool:
    text = found["secret"]
    mixed = any(map(str.isdigit, text)) or text not in (text.lower(), text.upper(), text.capitalize())
    return _is_value(found) and (mixed or len(text) >= 24)


def _named_secret(found: re.Match[str]) -> bool:
    return names.names_secret(found["name"]) and _is_value(found)


def _named_token(found: re.Match[str]) -> bool:
    return names.names_secret(found["name"]) and _like_a_token(found)


def _of_machine(found: re.Match[str]) -> bool:
    return (found["machine"] is not None and _is_value(found)) or _like_a_token(found)


def _no_command(found: re.Match[str]) -> bool:
    return _is_value(found) and found["secret"].lower() not in ("login", "plain", "command", "commands", "extension")


def _told(found: re.Match[str]) -> bool:
    """Whether a sentence names a secret: after a verb each token is one, without a verb only a random one."""
    text = found["secret"]
    if found["verb"]:
        return _like_a_token(found)
    if values.user_and_password(text):
        return True
    word = found["name"].lower()
    shown = text if word.startswith("private") else text.rpartition(":")[2]
    return values.random(shown) and (word not in ("key", "seed", "pw", "pwd") or not values.checksum(shown))


def _frame(origin: str, pattern: str, hints: str, certain: Certain | None = _is_value) -> Rule:
    """A frame; there are blanks between the hints, which are in small letters, and in the pattern none counts."""
    return Rule(origin, pattern, tuple(hints.split()), certain)


_GAP: Final = r"[ \t]{1,9}"
_MAYBE_GAP: Final = r"[ \t]{0,9}"
_QUOTED: Final = r"(?P<quote>\\*+['\"]) (?P<secret> (?: (?! (?P=quote) ) [^\n] ){1,4096}+ )"
_PART: Final = r"[^\s:]{1,253}+"
_NAME: Final = r"(?P<name> [\w.-]{1,128}+ )"
# The end of a line of Redis's protocol, or how a log shows it.
_CRLF: Final = r"(?: \\r\\n | \r\n )"

FRAMES: Final = Rules((
    _frame("SQL", rf"""(?i: \b (?: (?:set_?)? password | passwd | passphrase | crypt (?=\()
            | identified {_GAP} (?: with {_GAP} [\w'"]{{1,64}} {_GAP} (?:by|as) | by ) )
            (?: {_GAP} for {_GAP} \S{{1,200}} {_MAYBE_GAP} = {_MAYBE_GAP} (?: password\( )?
            | {_MAYBE_GAP} \( {_MAYBE_GAP} | {_GAP} (?: values {_GAP} )? ) [en]? ) {_QUOTED}""", "pass ident crypt"),
    _frame("SQL, between dollars", rf"(?i: \b password {_GAP} ) \$\w{{0,16}}\$ (?P<secret> [^$\n]++ )", "$"),
    _frame("SQL, values of a row", r"""(?i: \b insert \s{1,9}+ into \s [^()]{1,200}+
            \( [^()]{0,400}? (?: passw | secret | token | api_?key ) [^()]{0,400}+ \) \s{0,9}+ values \s{0,9}+ \( )
            (?P<secret> [^\n']{0,999}+ ' [^\n]{0,999}? ) \) (?= [;\s] | \Z )""", "insert"),
    _frame("Go, name of a MySQL source",
        r"(?<! [\w:@/] ) \w[\w.-]{0,63}+ : (?P<secret> [^\s@\"']{1,200}? ) @(?:tcp|unix)\(", "@tcp( @unix(", None),
    _frame("Oracle",
        r"""(?: :(?:thin|oci8?): | \b (?:sqlplus|impdp|expdp|sqlldr) [ \t] [^\n/]{0,64}? ) [^\s/@"']{1,64}+ /
            (?P<secret> [^\s@"']{1,200}+ ) @""", "jdbc:oracle sqlplus impdp expdp sqlldr"),
    _frame("Oracle, SQL",
        rf"(?i: \b identified {_GAP} by ) {_GAP} (?P<secret> [^\s\"';]{{4,}}+ )", "identified", _like_a_token),
    _frame("RFC 6750", rf"(?i: \b bearer ) {_GAP} (?P<secret> [\w.~+/-]{{8,}}+ =* )", "bearer", _like_a_token),
    _frame("RFC 7617", rf"(?i: \b basic ) {_GAP} (?P<secret> [A-Za-z0-9+/]{{4,}}+ ={{0,2}} )", "basic", _is_login),
    _frame("XML, element or attribute",
        rf"""< (?: [\w-]{{1,64}}: | \w{{1,64}} [ \t] (?:key|name)= ["'] )? {_NAME} (?: ["'] | \s [^<>]{{0,200}}+ )? >
            \s{{0,20}}+ (?P<secret> [^<\s][^<]*+ ) </""", "</", _named_secret),
    _frame("pairs of a list",
        rf"""[(\[] \s{{0,20}} b? (?P<outer> \\*+["'] ) {_NAME} (?P=outer) , \s{{0,20}} b? (?P<quote> \\*+["'] )
            (?i: (?:bearer|basic|token) [ \t] )? (?P<secret> (?: (?! (?P=quote) ) [^\n] ){{1,4096}}+ )
            (?= (?P=quote) \s{{0,20}} [)\]] )""", "', \",", _named_secret),
    _frame("tables", rf"\| [ \t]*+ {_NAME} [ \t]*+ \| [ \t]*+ (?P<secret> [^|\s]++ )", "|", _named_token),
    _frame("netrc", r"""(?P<machine> \b (?: machine \s{1,20}+ \S{1,253}+ | default ) \s{1,20}+ )?
            \b (?:login|user) \s{1,20}+ [^\s=:]{1,200}+ \s{1,20}+ (?:password|passwd) \s{1,20}+
            (?P<secret> [^\s"']\S*+ )""", "passw", _of_machine),
    _frame("PostgreSQL, .pgpass",
        rf"""(?<! [\w.*:/@\\-] ) (?! [0-9a-f]{{1,4}}: ) [\w.*-]{{1,253}}+ : (?: \d{{4,5}} | \* ) : {_PART} : {_PART} :
            (?P<secret> (?: [^\s"'\\] | \\. ){{4,}}+ )""", ":"),
    _frame("Redis, AUTH", rf"""\b AUTH2? {_GAP} (?: [^\s"']{{1,200}} {_GAP} )? (?P<secret> [^\s"']{{1,512}}+ )
            (?= [ \t]*+ (?: ["'\n\r] | SETNAME | KEYS | \Z ) )""", "auth", _no_command),
    _frame("Redis, AUTH in quotes",
        rf"(?i: \"auth\" ) {_GAP} (?: \"[^\"\n]{{1,200}}\" {_GAP} )? \" (?P<secret> [^\"\n]++ ) \"", '"auth"'),
    _frame("Redis, protocol",
        rf"""(?<! [A-Z] ) AUTH (?: {_CRLF} \$\d{{1,5}} {_CRLF} [^\s\\*]{{1,200}}+ )?? {_CRLF} \$\d{{1,5}} {_CRLF}
            (?P<secret> [^\s\\]++ ) (?! {_CRLF} \$ )""", "auth"),
    _frame("Redis, settings",
        rf"""(?i: \b (?: requirepass | masterauth | auth-pass {_GAP} [^\s"']{{1,200}} ) ) [ \t"']{{1,9}}
            (?P<secret> [^\s"']++ )""", "requirepass masterauth auth-pass"),
    _frame("Bitcoin, commands", rf"""(?i: \b (?: importprivkey | walletpassphrase ) ) {_GAP} ["']?
            (?P<secret> (?<= ["'] ) [^"'\n]++ | [^\s"']++ )""", "importprivkey walletpassphrase"),
    _frame("Redis, ACL", r"""(?: (?i: \b setuser ) | \b user [ \t] [^\s>]{1,200} [ \t] (?:on|off) )
            [^\n>]{0,200}? [\s"'] > (?P<secret> [^\s"']++ )""", "user"),
    _frame("Kafka, PlainLoginModule",
        r"\b user_[\w.-]{1,128}+ = (?P<quote> \\*+[\"'] ) (?P<secret> [^\"'\\\n]++ )", "user_"),
    _frame("Terraform, a change",
        rf'(?<! [\w.-] ) {_NAME} {_MAYBE_GAP} [=:] {_MAYBE_GAP} " [^"\n]{{0,200}} " {_GAP} -> {_GAP} "'
        r'(?P<secret> [^"\n]++ )', "->", _named_secret),
    _frame("GitHub, a workflow's command", r"::add-mask:: (?P<secret> [^\n]++ )", "::add-mask::"),
    _frame("settings of AWS, Pulumi and .NET",
        rf"""\b (?: configure | config | user-secrets ) {_GAP} set {_GAP} (?: --[\w-]{{1,32}} {_GAP} ){{0,4}} ["']?
            (?: [^\s=]{{1,200}}: )? {_NAME} ["']? {_GAP} ["']? (?P<secret> [^\s"']{{1,4096}}+ )""",
        "config user-secrets", _named_secret),
    _frame("shell", rf"""\b echo {_GAP} (?: -n[ \t] )? ["']? (?P<secret> [^\s"'|]{{1,512}}+ ) ["']? {_MAYBE_GAP}
            \| [^\n|]{{0,120}} (?: -stdin | sudo[ ]-S )""", "-stdin sudo"),
    _frame("shell, here-string",
        rf"(?: -stdin | kinit [^\n<]{{0,99}}+ ) {_MAYBE_GAP} <<< {_MAYBE_GAP} [\"']? (?P<secret> [^\s\"']++ )", "<<<"),
    _frame("Python, requests", rf"\b auth=\( [\"'] [^\"'\n]{{0,200}} [\"'] , [ ]? {_QUOTED}", "auth=("),
    _frame("address in an address", r"(?i: %3a%2f%2f ) (?P<secret> [^\s@/&\"']{1,500}? ) %40", "%3a%2f%2f", None),
    _frame("token in an address", r":// (?P<secret> [\w-]{16,}+ ) @", "://", _is_random),
    _frame("Redis, address", r"\b rediss?:// (?P<secret> [^\s/:@\"'<>]{1,512}+ ) @", "redis", _like_a_token),
    _frame("sentences, from one to another", rf"""(?i: \b (?: password | passphrase | secret | token | key ) {_GAP}
            (?: (?: was | is ) {_GAP} )? (?: changed | rotated | set ) {_GAP} from {_GAP} \S{{1,200}} {_GAP} to ) {_GAP}
            ["'`]? (?P<secret> [^\s"'`]{{4,}}+ )""", "from", _like_a_token),
    _frame("sentences",
        rf"""(?i: \b (?P<name> password | passwd | passphrase | pwd | pw | auth | seed | secret | token | credentials?
            | (?: (?:api|private|unseal) [ _-]? )? key ) (?: [ ]\d{{1,2}} (?=:) )? )
            (?: {_GAP} (?:reset|changed|rotated|set|now) )?
            (?P<verb> {_GAP} (?: is | was | to | from | => | -> ) {_MAYBE_GAP} :?
            | {_GAP} for (?: {_GAP} (?! is | was ) [^\s:]{{1,128}}+ ){{1,2}} : | (?<= \d) : )?
            {_GAP} ["'`]? (?! (?i: sha\d | md5 | (?: key | token | secret | password ) \b ) )
            (?P<secret> (?= [^\s"'`]{{4}} )
            (?: [^\s"'`,.;:)]++ | [,.;:)]++ (?= [^\s"'`] ) )++ )""",
        "pass pw key token secret auth seed credential", _told),
    _frame("columns", r"""(?i: passw(?:or)?d | passphrase | _pwd ) [ \t]{1,40}
            (?P<secret> (?= [^\s\d]{0,64} \d ) (?= [^\sA-Za-z]{0,64} [A-Za-z] ) [^\s"'`=:]{6,}+ )
            (?! [=:] )""", "passw passphrase _pwd"),
), re.VERBOSE)  # fmt: skip
