#!/bin/sh
set -a
X=$(cat /run/secrets/db_password)
set +a
Y=1
exec "$@"
