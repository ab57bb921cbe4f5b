"""What looks like a secret, and what does not."""

from __future__ import annotations

import pytest

from secretkit.delivery.lint.names import credentials, is_plain, is_secret

SECRETS = """
POSTGRES_PASSWORD apiKey github-token MYSQL_PWD PGPASSWORD AWS_SECRET_ACCESS_KEY SECRET_KEY_BASE
DB_PASS RABBITMQ_ERLANG_COOKIE clientSecret JWT_SECRET_1 APP_KEY DJANGO_SECRET_KEY
private_key password DB_ENC_KEY AIRFLOW__CORE__FERNET_KEY DB_PW APP_PW pw dbPw DBPASS dbpass DBPW
MYSQLPWD userpass PROXYPASS_1 dbpassword ROOTPASSWD DB_PWD passwd
"""
OTHERS = """
GPG_KEY PASSWORD_FILE PWD OLDPWD AWS_ACCESS_KEY_ID NEXT_PUBLIC_API_KEY COMPASS MAX_TOKENS TOKEN_TTL
SSL_KEY PASSWORD_MIN_LENGTH KEYBOARD SECRET_NAME API_KEY_HEADER PRIVATE_KEY_PATH MONKEY
BYPASS TRESPASS UNDERPASS SINGLE_PASS_MODE DBPASS_FILE PWM PW_DIR GPW PASS sshpass NOPASSWD htpasswd
"""
NOT_PLAIN = """
$X ${X} ${X:-} ${X:?needed} pre-$X /run/secrets/a ./key.pem yes False dummy <<db-password>> ***
<your-password> {{password}} $(cat) dummy-for-the-build
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_the_name_of_a_secret(name: str) -> None:
    """Names as programs have them are recognised, however they are written."""
    assert is_secret(name)


@pytest.mark.parametrize("name", OTHERS.split())
def test_the_name_of_something_else(name: str) -> None:
    """Identifiers, paths, public keys and lengths are none."""
    assert not is_secret(name)


@pytest.mark.parametrize("value", ["x", "changeme", "p/w", "${X:-plain}", "a b", "12345"])
def test_a_value_in_the_open(value: str) -> None:
    """A value stands there for all to read, also as a variable's default."""
    assert is_plain(value)


@pytest.mark.parametrize("value", NOT_PLAIN.split())
def test_no_value_in_the_open(value: str) -> None:
    """A variable, a path, a switch and a placeholder are none; nor is nothing."""
    assert not is_plain(value)
    assert not is_plain("")
    assert not is_plain("<your password>")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("mysql --password=abc", [6]),
        ("export API_TOKEN='abc'; run", [7]),
        ("app --token abc", [4]),
        ("curl https://me:abc@example.org", [5]),
        ("redis://:abc@redis:6379", [0]),
        ("curl https://$ME:$TOKEN@example.org/a@b", []),
        ("git clone ssh://git@example.org:22/x", []),
        ("DB_PASSWORD=$x run --password-file /x --token - --password $X", []),
        ("curl -H 'Authorization: Bearer abc' -H 'PRIVATE-TOKEN: abc'", [9, 40]),
        ("curl -H 'Authorization: Bearer $TOKEN'; echo token: is; X-Key: $X", []),
        ("--password-stdin < /run/secrets/x", []),
        ("mysqladmin -h db -pabc ping; redis-cli -a abc ping", [0, 29]),
        ("docker login -u me -p abc r; sshpass -pabc ssh x", [0, 29]),
        ("mysql -p -e x; redis-cli -a $X ping; redis-cli -p 6379; docker run -p 80:80 x", []),
        ('redis-cli -a "$$(cat /x)" ping; mysql -p"$P"; docker login -p $X; mysql --port 1', []),
        ("curl -u admin:abc https://example.org", [0]),
        ("htpasswd -bc /etc/x me abc; htpasswd -b -n me abc; htpasswd -nbB me abc", [0, 28, 51]),
        ("htpasswd -bn me $P > x; htpasswd -c /x me; htpasswd -bc /x me $(cat y)", []),
        ("echo 'a a/root_password password abc' | debconf-set-selections", [9]),
        (
            "keytool -storepass abc; keytool -cacerts -storepass changeit; openssl -passout pass:a",
            [7, 69],
        ),
        ("keytool -storepass $X; openssl req -passin pass:$X -passout file:/x", []),
        (
            f"a {'ghp_' + 36 * 'a'}; {'glpat-' + 20 * 'b'}; ghp_short; sk-learn; npm_config_x",
            [2, 44],
        ),
        ("https://hooks.slack.com/services/T0/B0/abc", [8]),
        ("x && curl -fsSLu 'admin:abc' https://a; curl --user=a:bc b", [5, 40]),
        (
            "curl -u admin:$PW a; curl -u admin a:b; curl -fu $U:$P a; curl a; docker run -u 1:1 b",
            [],
        ),
    ],
)
def test_credentials_in_a_text(text: str, places: list[int]) -> None:
    """Assignments, options and addresses that hold one are found, where they begin."""
    assert list(credentials(text)) == places
