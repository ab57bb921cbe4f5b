#!/bin/sh
# Database servers behind the rules of official images: NAME, or NAME_FILE with a path; not both.
set -eu

# file_or_value NAME: the variable NAME is set afterwards, NAME_FILE is not.
file_or_value() {
  eval "value=\${$1-} file=\${$1_FILE-}"
  if [ -n "$value" ] && [ -n "$file" ]; then
    echo "$1 and $1_FILE are both set" >&2
    exit 1
  fi
  if [ -n "$file" ]; then value=$(cat "$file"); fi
  export "$1=$value"
  unset "$1_FILE"
}

umask 077
file_or_value POSTGRES_PASSWORD
file_or_value MARIADB_ROOT_PASSWORD
if [ -n "$POSTGRES_PASSWORD" ]; then
  printf '%s\n' "$POSTGRES_PASSWORD" >/dev/shm/password
  initdb -D /tmp/data -U postgres --pwfile /dev/shm/password -A scram-sha-256 -N >/dev/null
  exec postgres -D /tmp/data -k /tmp
elif [ -n "$MARIADB_ROOT_PASSWORD" ]; then
  mariadb-install-db --no-defaults --datadir=/tmp/data --skip-test-db >/dev/null
  quoted=$(printf '%s' "$MARIADB_ROOT_PASSWORD" | sed "s/[\\\\']/\\\\&/g")
  printf "alter user root@localhost identified by '%s';\n" "$quoted" >/dev/shm/root.sql
  exec mariadbd --no-defaults --datadir=/tmp/data --socket=/tmp/socket --init-file=/dev/shm/root.sql
fi
echo "no password" >&2
exit 1
