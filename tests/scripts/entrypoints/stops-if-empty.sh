#!/bin/sh
X=$(cat /run/secrets/db_password) || exit 1
[ -z "$X" ] && { echo "empty" >&2; exit 1; }
export X
exec "$@"
