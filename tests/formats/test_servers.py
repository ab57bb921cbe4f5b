"""Config files of servers: where a value may stand, and what the real servers make of it."""

from __future__ import annotations

import socket
import subprocess
from base64 import b64encode
from pathlib import Path
from random import Random

import pytest
from secretkit_entrypoint import formats
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.render import load

from tests.needs import need_program

from . import directives
from .cases import READERS, Content
from .servers import ask, command, get, haproxy, httpd, nginx, redis, short_folder

# `@` is a placeholder. "-" stands for a reason, "=" for a place that is not read again.
PLACES = [
    ("nginx", "set $a \"@\"; set $a '@'; set $a @;", "double single bare"),
    ("nginx", 'set $a "x @ y"; @ b;', "double -"),
    ("nginx", "set $a b@; return 200 @/c; add_header a @ always;", "part part bare"),
    ("nginx", 'set $a b="@";', "part"),
    ("nginx", "a {\n# @ '\nset $b @;\n} # @", "- bare -"),
    ("nginx", "set $a b#@;", "part"),
    ("nginx", "set $a '@' # @\n;", "single -"),
    ("nginx", 'return 200 "\\@ "; return 200 \\@; return 200 "\\\\@\\"@";', "- - double double"),
    ("nginx", 'return 200 "$@"; return 200 "${@"; return 200 "$b@";', "- - -"),
    ("nginx", 'return 200 "${b@"; return 200 "${b}@";', "- double"),
    ("nginx", "set $a $@; set $a $b@; set $a ${b}@; set $a @$b;", "- - part part"),
    ("nginx", "a ${b} { set $c @; }", "bare"),
    ("nginx", "a \\${ set $b @; }", "bare"),
    ("nginx", "geo $a { default @; @ 1; include @; }", "bare= - -"),
    ("nginx", "geo $a { delete @; proxy @; 1.2.3.4 @; default a @; }", "- - bare= -"),
    ("nginx", 'geo $a { default "$x@"; } set $b "$x@";', "double= -"),
    ("nginx", "map $a $b { default @; @ 1; include @; return @; a b @; }", "bare - - bare -"),
    ("nginx", "map $a @ { a b; }", "-"),
    ("nginx", 'if ($a = "@") { set $b @; }', "double bare"),
    ("nginx", 'if ($a != "@" ) { } if ($a ~ "@") { } if (-f "@") { }', "double - -"),
    ("nginx", "location ~ @ { set $a @; } rewrite @ /x; server_name @;", "- bare - -"),
    (
        "nginx",
        "gzip_disable @; xslt_param a @; modsecurity_rules @; match a { body ~ @; }",
        "- - - -",
    ),
    ("nginx", "return @; set @ a; add_header @ a; include @; proxy_pass @;", "- - - - -"),
    ("nginx", 'secure_link_md5 "$uri @"; sub_filter a @; sub_filter @ a;', "double bare -"),
    ("nginx", "a_by_lua_block { @ } set $b @;", "- -"),
    ("nginx", "set_by_lua $a @; js_set $a @; perl_set $a @; set $b @;", "- - - bare"),
    ("nginx", 'set $a "@"b; set $c @;', "- -"),
    ("nginx", 'set $a "@; set $b @;', "- -"),
    ("nginx", "set $a @; set $b @", "bare -"),
    ("haproxy", "user a password @", "bare="),
    ("haproxy", "user @ insecure-password '@' groups @", "bare= single= -"),
    ("haproxy", "acl a b -m str -- \"@\" '@' x@ @x", "double= single= bare= bare="),
    ("haproxy", "@ a\n  setenv a @\r\n setenv a @\r\n", "- bare= bare="),
    ("haproxy", "setenv a @ # @\nsetenv a @#@\nsetenv '#' \\#@", "bare= - bare= - bare="),
    ("haproxy", "setenv a \\@\nsetenv a '\\@' @", "- single= -"),
    ("haproxy", 'setenv a "\\@"\nsetenv a "\\x4@"\nsetenv a "\\x41@"', "- - double="),
    ("haproxy", 'setenv a "$@"\nsetenv a "$b@"\nsetenv a "${b@}"\nsetenv a "${b-@}"', "- - - -"),
    ("haproxy", 'acl a b -m str -- "$b @" "${b}@" $@ \'$@\'', "double= double= bare= single="),
    ("haproxy", 'acl a b -m str -- "\\$b@" "${b-c}@" @', "double= double= bare="),
    ("haproxy", "setenv a '@\nsetenv b @", "- bare="),
    ("haproxy", "setenv a @\r@\nsetenv b @", "- - bare="),
    ("haproxy", 'http-request set-header a "%[@]"\nhttp-request add-header a %@', "- -"),
    ("haproxy", "http-request set-header a %ci@\nhttp-response set-header a b(@)", "- -"),
    (
        "haproxy",
        "http-request set-header a '%{+Q}@'\nhttp-request set-header a \"%ci @\"",
        "- double",
    ),
    ("haproxy", "http-request set-header a @ if b\nhttp-request set-header @ b", "bare -"),
    ("haproxy", "http-request set-header a b if @\nhttp-request set-var(a) @", "- -"),
    (
        "haproxy",
        "deny if { path @ }\ndeny unless @\na @\nreqrep @ b\nserver a b sni @",
        "- - - - -",
    ),
    ("haproxy", "acl a b @\nacl a b -m str @\nacl a b -m str -- @ @", "- - bare= bare="),
    ("haproxy", "acl a b -f -m str -- @\nacl a b -i -m str -- @", "- bare="),
    ("haproxy", '"ac"l a b @\n\\x61cl a b @\n"acl\nb" c -m str -- @', "- - -"),
    ("haproxy", '"acl\\na" b c -m str -- @', "-"),
    ("haproxy", '.if @\n[a] @\n"$a" @', "- - -"),
    ("haproxy", "http-request replace-header a @ b\nexpect rstring @", "- -"),
    ("haproxy", "acl a path -m reg -- @\nacl a path_reg -m str -- @", "- -"),
    (
        "haproxy",
        "tcp-check send @\ntcp-check expect string @\ndynamic-cookie-key @",
        "bare= - bare=",
    ),
    ("haproxy", 'http-check send meth GET uri / hdr Host a hdr X "a @"', "double"),
    ("haproxy", "http-check send uri @\nhttp-check send hdr @ a", "- -"),
    ("haproxy", "http-request return string @\nstats auth a:@\nsetenv a @", "bare= bare= bare="),
    (
        "haproxy",
        "http-request return status 200 hdr string @\nhttp-request return hdr @ b",
        "bare -",
    ),
    ("haproxy", "http-request return status 200 content-type a lf-string @ if @", "bare -"),
    ("httpd", "SetEnv a @\n SetEnv a \"@\"\nSetEnv a '@ b'", "bare= double= single="),
    ("httpd", "Header set a @\nHeader set a b@\nSetEnv @ b", "bare - -"),
    ("httpd", 'Header always append a "@" early\nHeader edit a @ b', "double -"),
    ("httpd", 'requestHEADER "set" a "@"\nRequestHeader always set a @', "double -"),
    ("httpd", "Header set @ b\nHeader set a b @\nHeader echo @\nHeader unset @", "- - - -"),
    ("httpd", "SetEnv a b@\nSetEnv a @/b\nSetEnv a b @", "part part -"),
    ("httpd", "@ a\n# @\n #@\nSetEnv a #@", "- - - part"),
    ("httpd", 'SetEnv a "\\@" \nSetEnv a \'\\@\'\nSetEnv a "\\\\@"', "- - double="),
    ("httpd", 'SetEnv a "@\nSetEnv a \'@\nSetEnv a "@"b', "- - -"),
    ("httpd", 'SetEnv a "$@"\nSetEnv a "@{x"\nSetEnv "${x}" @\nSetEnv a @@', "- - - - part"),
    ("httpd", "SetEnv a \\\n @\nSetEnv a @ \\\r\n@\nSetEnv a @", "- - - bare="),
    ("httpd", "# a \\\nSetEnv a @\nSetEnv a @", "- bare="),
    ("httpd", '<If @>\nSetEnv a @\n</If>\n"<If" @', "- bare= -"),
    ("httpd", "<Macro a>\nSetEnv a @\n</Macro>\nSetEnv a @", "- bare="),
    ("httpd", "<LuaHookLog a>\nSetEnv a @\n</LuaHookLog>\nSetEnv a @", "- bare="),
    ("httpd", "# <Macro\nSetEnv a @\n<Perl>\n@", "bare= -"),
    ("httpd", "Define a @\nRequire expr @\nUse a @\nRedirectMatch @ a\nOutputSed @", "- - - - -"),
    ("httpd", 'Header set a "ex@"\nHeader set a "expr=1 @"\nHeader set a "x@"', "- - double"),
    ("httpd", 'SessionCryptoPassphrase @ "@" "exe@" @:@', "bare= double= - - part"),
    ("httpd", "AuthLDAPBindDN @\nAuthLDAPBindPassword a@\nAuthLDAPURL @", "bare= part -"),
    ("httpd", 'ErrorLog @\nCustomLog "|x @" y\nSubstitute "s/@/b/"\nSSLRequire @', "- - - -"),
    ("redis", "requirepass @", "bare"),
    ("redis", "requirepass @\r\nmasterauth @ \n", "bare bare"),
    ("redis", 'requirepass "@@"', "double double"),
    ("redis", "requirepass 'it\\'s @'", "single"),
    ("redis", "user a on >@ ~*", "bare"),
    ("redis", 'user a on >"@" ~*', "double"),
    ("redis", "rename-command CONFIG a@b@", "part bare"),
    ("redis", "requirepass #@ @", "bare bare"),
    ("redis", "# requirepass @", "-"),
    ("redis", " \t# '@\nrequirepass @", "- bare"),
    ("redis", "@ yes", "-"),
    ("redis", 'a@"@" @', "- - bare"),
    ("redis", 'requirepass "\\@ \\x@"', "- -"),
    ("redis", 'requirepass "\\x4@ \\\\@"', "- double"),
    ("redis", "requirepass '\\@'", "-"),
    ("redis", 'requirepass "@', "-"),
    ("redis", "requirepass '@\\'", "-"),
    ("redis", 'requirepass "@"x @', "- -"),
    ("redis", 'requirepass "@\n@"', "- -"),
]


@pytest.mark.parametrize(("format_name", "template", "expected"), PLACES)
def test_a_lexer_tells_the_place(format_name: str, template: str, expected: str) -> None:
    """Every placeholder gets the quoting around it, or is refused."""
    places = formats.module(format_name).places(template.replace("@", "\0"))
    names = [
        "-"
        if isinstance(place, formats.RefusedError)
        # "inside double quotes" is "double"
        else place.replace("inside ", "").replace(" quotes", "")
        + "=" * getattr(place, "literal", False)
        for place in places
    ]
    assert expected == " ".join(names)


# A template, and values that are refused in it, each for what its server would make of it.
REFUSED = [
    ("nginx", 'set $a "<<v>>";', [b"$", b"a$b", b"${x}", b"\0", b"x" * 4001, b'"' * 2001]),
    ("nginx", 'geo $a { default "<<v>>"; }', [b"\0"]),
    ("haproxy", "user a password <<v>>", [b"", b"a\0"]),
    ("haproxy", "user a password '<<v>>'", [b"", b"a\0", b"'", b"a\nb", b"\r"]),
    ("haproxy", "http-request set-header a <<v>>", [b"%", b"%[env(A)]", b"100%%"]),
    ("httpd", "SetEnv a <<v>>", [b"${A}", b"a${", b"a\nb", b"\0"]),
    ("httpd", "Header set a <<v>>", [b"%", b"\\n", b"expr=1", b"Expr=1"]),
    ("httpd", 'Header set a "<<v>>=1"', [b"", b"e", b"expr", b"EXPR=x"]),
    ("httpd", 'SessionCryptoPassphrase "<<v>>:/bin/id"', [b"", b"exec", b"Exe", b"exec:"]),
    ("httpd", "AuthLDAPBindPassword <<v>>", [b"exec:/bin/id", b"EXEC:x", b"${", b"a\nb"]),
    ("redis", "requirepass '<<v>>'", [b"a\nb", b"\0", b"\\"]),
]


@pytest.mark.parametrize(("format_name", "template", "values"), REFUSED)
def test_what_a_server_cannot_take_is_refused(
    format_name: str, template: str, values: list[bytes], tmp_path: Path
) -> None:
    """The message says so in one line and has nothing of the value."""
    for value in values:
        with pytest.raises(ShimError) as error:
            render(tmp_path, format_name, template, v=value)
        (problem,) = error.value.problems
        assert problem.isprintable()
        render(tmp_path, format_name, template, v=b"secret")


def render(folder: Path, format_name: str, template: str, **values: bytes) -> bytes:
    """The template with these values, by the shim."""
    source = folder / "template"
    source.write_text(template, newline="")
    return load(str(source), "/run/x", format_name).render(Content(values), {})


NASTY = b"p@ss&w/o\\r\"d's #1 ;{}() {{ x }} <<v>> \\n\t"


def test_nginx_takes_a_dollar_by_way_of_geo(tmp_path: Path) -> None:
    """The remedy of the message: a value with `$` in a geo block, used as a variable elsewhere."""
    need_program("nginx")
    template = """geo $secret { default <<v>>; }
    server { include listen; location = /0 { return 200 "a${secret}b"; } }"""
    for value in (b"$uri", b"a$", b"${x", NASTY + b"$1"):
        with nginx(render(tmp_path, "nginx", template, v=value)) as connection:
            assert [b"a" + value + b"b"] == get(connection, 1)


def test_nginx_compares_a_header_with_a_value(tmp_path: Path) -> None:
    """In a condition nginx takes the value as it is, with or without a space behind it."""
    need_program("nginx")
    template = """server { include listen;
      if ($http_a = "<<v>>") { return 201; }
      if ($http_b != '<<v>>' ) { return 403; }
      return 200; }"""
    value = NASTY.replace(b"\t", b"")
    with nginx(render(tmp_path, "nginx", template, v=value)) as connection:
        headers = [b"A: " + value, b"A: " + value + b"x", b"B: " + value]
        requests = [b"GET / HTTP/1.1\r\n" + header + b"\r\n" for header in headers]
        assert [status for status, _ in ask(connection, requests)] == [201, 403, 200]


def test_a_parameter_is_no_longer_than_nginx_can_read(tmp_path: Path) -> None:
    """What is just not refused as too long still fits."""
    need_program("nginx")
    for template, longest in (('return 200 "<<v>>";', 3999), ("return 200 '<<v>><<v>>';", 1999)):
        data = render(
            tmp_path, "nginx", f"server {{ include listen; {template} }}", v=b"x" * longest
        )
        with nginx(data) as connection:
            assert {b"x"} == {get(connection, 1)[0][:1]}
        with pytest.raises(ShimError):
            render(tmp_path, "nginx", template, v=b"x" * (longest + 1))


def test_haproxy_takes_a_percent_by_way_of_a_variable(tmp_path: Path) -> None:
    """The remedy of the message: set in the section global, and used by %[env(NAME)]."""
    need_program("haproxy")
    value = NASTY + b"%[env(A)] %% %ci $A \xff"
    environment = render(tmp_path, "haproxy", "setenv A <<v>>", v=value)
    rule = b'http-request return status 200 content-type text/plain lf-string "a%[env(A)]b"'
    with haproxy(environment, b"", rule, "s") as connection:
        assert [b"a" + value + b"b"] == get(connection, 1)


def test_haproxy_compares_a_header_with_a_value(tmp_path: Path) -> None:
    """An acl takes it as it is, also what looks like an option."""
    need_program("haproxy")
    rules = """acl known req.fhdr(a) -m str -- <<v>>
    http-request return status 200 if known
    http-request return status 403"""
    for value in (NASTY.strip(), b"-i", b"-f", b"--", b"}", b"%[env(A)]", b"A,(b)"):
        rendered = render(tmp_path, "haproxy", rules, v=value)
        with haproxy(b"", b"", rendered, "s") as connection:
            headers = [b"A: " + value, b"A: " + value + b"x", b"A: " + value.swapcase() + b"y"]
            requests = [b"GET / HTTP/1.1\r\n" + header + b"\r\n" for header in headers]
            assert [status for status, _ in ask(connection, requests)] == [200, 403, 403]


def test_haproxy_protects_its_statistics(tmp_path: Path) -> None:
    """The password of `stats auth` is taken as it is."""
    need_program("haproxy")
    rules = "stats enable\n stats uri /\n stats auth admin:<<v>>"
    for value in (NASTY, b"a:b%ci$x", b"%", b" "):
        rendered = render(tmp_path, "haproxy", rules, v=value)
        for password, status in ((value, 200), (value + b"x", 401)):
            login = b"Authorization: Basic " + b64encode(b"admin:" + password)
            with (
                haproxy(b"", b"", rendered, "s") as connection,
                connection.makefile("rb") as stream,
            ):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n" + login + b"\r\n\r\n")
                assert b"HTTP/1.1 %d " % status == stream.readline()[:13]


def test_haproxy_asks_for_the_health_of_a_server_with_the_value(tmp_path: Path) -> None:
    """What `tcp-check send` has goes to the server as it is, and a header of `http-check send`."""
    need_program("haproxy")
    checks = """backend %s
      option %s
      %s
      server s 127.0.0.1:%d check inter 50
    """
    plain = NASTY.strip()
    kinds = {
        ("tcp-check", "tcp-check connect\n tcp-check send <<v>>"): NASTY + b"%[env(A)] %ci \xff\n.",
        ("httpchk", "http-check send meth GET uri / hdr X-A 'Bearer <<v>>'"): plain.replace(
            b"'", b""
        ),
    }
    for (option, lines), value in kinds.items():
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            template = checks % ("b", option, lines, port)
            rendered = render(tmp_path, "haproxy", template, v=value)
            with haproxy(b"", rendered, b"http-request return status 200", "s"):
                server.settimeout(60)
                accepted, _ = server.accept()
                with accepted:
                    accepted.settimeout(60)
                    assert value in accepted.recv(4096)


def test_httpd_takes_a_percent_by_way_of_a_variable(tmp_path: Path) -> None:
    """The remedy of the message: SetEnv, and used by %{NAME}e."""
    need_program("apache2")
    value = b"p@ss&w/o\\r\"d's #1 %{A}e \\n %t"
    plain = NASTY.replace(b"\\", b"").strip()
    template = """SetEnv A <<v>>
    RequestHeader set X-A "a%{A}eb"
    RequestHeader set X-B "<<w>>"
    """
    rendered = render(tmp_path, "httpd", template, v=value, w=plain)
    with httpd(rendered) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"GET /e HTTP/1.0\r\n\r\n")
        variables = stream.read().split(b"\0")
    assert b"HTTP_X_A=a" + value + b"b" in variables
    assert b"HTTP_X_B=" + plain in variables


def test_httpd_binds_to_a_directory_with_the_value(tmp_path: Path) -> None:
    """The password that AuthLDAPBindPassword has is in the request that a directory gets."""
    need_program("apache2")
    value = NASTY + b"%{A}e \\t \xff"
    with socket.create_server(("127.0.0.1", 0)) as directory:
        realm = f"""<Location /e>
          AuthType Basic
          AuthName a
          AuthBasicProvider ldap
          AuthLDAPURL ldap://127.0.0.1:{directory.getsockname()[1]}/dc=a
          AuthLDAPBindDN cn=a
          AuthLDAPBindPassword <<v>>
          Require valid-user
        </Location>"""
        with httpd(render(tmp_path, "httpd", realm, v=value)) as connection:
            connection.sendall(b"GET /e HTTP/1.0\r\nAuthorization: Basic YTpi\r\n\r\n")
            directory.settimeout(60)
            accepted, _ = directory.accept()
            with accepted:
                bind = accepted.recv(4096)
    # simple [0] OCTET STRING (RFC 4511, 4.2)
    assert bind.endswith(b"\x80" + bytes([len(value)]) + value)


@pytest.mark.parametrize("password", [NASTY, b"p:$1 %", "pässwörd".encode()])
def test_a_hash_is_a_password_for_nginx_and_httpd(password: bytes, tmp_path: Path) -> None:
    """The secret is what `openssl passwd` makes of the password, which is the only one let in."""
    for program in ("openssl", "nginx", "apache2"):
        need_program(program)
    hashing = ["openssl", "passwd", "-6", "-stdin"]
    hashed = subprocess.run(hashing, input=password, capture_output=True, check=True).stdout
    requests = [
        b"GET /e HTTP/1.0\r\nAuthorization: Basic %s\r\n\r\n" % b64encode(b"app:" + word)
        for word in (password, password + b"x")
    ]
    with short_folder() as folder:
        users = Path(folder) / "users"
        users.write_bytes(render(tmp_path, "text", "app:<<v>>\n", v=hashed))
        realms = {
            nginx: f"""server {{ include listen; auth_basic a; auth_basic_user_file {users};
              location / {{ try_files /none =204; }} }}""",
            httpd: f"""<Location /e>\nAuthType Basic\nAuthName a\nAuthUserFile {users}
              Require valid-user\n</Location>""",
        }
        for server, realm in realms.items():
            statuses = []
            for request in requests:
                with server(realm.encode()) as connection, connection.makefile("rb") as stream:
                    connection.sendall(request)
                    statuses.append(stream.read().split(b" ")[1])
            assert [204 if server is nginx else 200, 401] == [int(status) for status in statuses]


@pytest.mark.parametrize("template", ["requirepass <<v>>", 'requirepass "<<v>>"'])
def test_redis_has_the_very_bytes_of_the_secret(template: str, tmp_path: Path) -> None:
    """Any bytes: CONFIG GET gives them back."""
    need_program("redis-server")
    for value in (NASTY, b"two\nlines\r\n", b" a ", b"\0\x00", b"\\", b"\xff", b"x" * 5000):
        with redis(render(tmp_path, "redis", template + "\n", v=value + b"\n")) as connection:
            connection.sendall(command(b"AUTH", value))
            connection.sendall(command(b"CONFIG", b"GET", b"requirepass"))
            expected = b"+OK\r\n*2\r\n$11\r\nrequirepass\r\n$%d\r\n%s\r\n" % (len(value), value)
            with connection.makefile("rb") as stream:
                assert expected == stream.read(len(expected))


# What a word is made of, at random, to hold directives.py against the servers.
PIECES = (
    *('"', '"', "'", "'", "\\", "\\", " ", "#", "{", "}", "a", "b c", "é", "\\n", "\\t", "\\x41"),
    *('\\"', "\\'", "\\ ", "\\#", ")", ">", ">", '">', "'>", "\x0b", "\t", "%", "\\a", "\\$"),
)
# How directives.py reads, how the server does, and the entry with that word.
SYNTAX = {
    "nginx": (directives.nginx, "nginx map", "/№ {};"),
    "haproxy": (directives.haproxy, "haproxy setenv", "setenv K№ {}"),
    "httpd": (directives.httpd, "httpd CGI", "SetEnv K№ {}"),
    "redis": (directives.redis, "redis login", "user u№ on {}"),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_the_readers_for_random_templates_read_as_the_servers_do(name: str, tmp_path: Path) -> None:
    """Hundreds of words in odd spellings: directives.py and the server read the same in each."""
    reads, reader, entry = SYNTAX[name]
    program, real = READERS[reader]
    assert program
    need_program(program)
    random = Random(11)
    entries: list[str] = []
    expected: list[bytes] = []
    while len(entries) < 600:
        spelled = "".join(random.choices(PIECES, k=random.randrange(1, 9)))
        if spelled.endswith("\\"):
            continue  # httpd would go on with the next line
        text = entry.replace("№", str(len(entries))).format(spelled)
        try:
            (words,) = reads(text)
        except (directives.UnreadableError, ValueError):
            continue  # or several directives
        before = entry.count(" ")
        word = words[before] if len(words) == before + 1 + (name == "nginx") else ""
        if name == "redis":
            word = word[1:] if word[:1] == ">" else ""
        if word and "\uffff" not in word:
            entries.append(text)
            expected.append(word.encode("utf-8", "surrogateescape"))
    text = "\n".join(entries)
    text = f"map $uri $v {{\n{text}\n}}" if name == "nginx" else text
    assert expected == real(text.encode(), tmp_path)
