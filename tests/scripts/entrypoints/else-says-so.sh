#!/bin/sh
if [ -f /run/secrets/db_password ]; then export X=$(cat /run/secrets/db_password)
else echo "no secret" >&2; exit 1; fi
exec "$@"
