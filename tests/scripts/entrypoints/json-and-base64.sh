#!/bin/sh
set -e
DB_USER=$(jq -r .user /run/secrets/db)
export DB_USER
export DB_HOST="$(cat /run/secrets/db | jq -r '.hosts.first')"
export KEY=$(base64 -d /run/secrets/key64)
exec "$@"
