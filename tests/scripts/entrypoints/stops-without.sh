#!/bin/sh
if [ ! -f /run/secrets/db_password ]; then
  echo "missing" >&2
  exit 1
fi
export X=$(cat /run/secrets/db_password)
exec "$@"
