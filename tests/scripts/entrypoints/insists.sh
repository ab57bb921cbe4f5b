#!/bin/sh
X=$(cat /run/secrets/db_password)
: "${X:?is empty}"
export X
exec "$@"
