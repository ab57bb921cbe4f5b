#!/bin/sh
export X=$(cat /run/secrets/db_password)
export K=$(cat /run/secrets/api-key)
unset X
exec "$@"
