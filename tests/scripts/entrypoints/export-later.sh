#!/bin/sh
set -e
X=$(cat /run/secrets/db_password)
K=$(cat /run/secrets/api-key)
export X K
exec "$@"
