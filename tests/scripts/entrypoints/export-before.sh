#!/bin/sh
export X
X=$(cat /run/secrets/db_password)
exec "$@"
