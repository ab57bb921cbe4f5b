#!/bin/sh
[ -f /run/secrets/db_password ] && export X=$(cat /run/secrets/db_password)
[ -f /run/secrets/absent ] && export Y=$(cat /run/secrets/absent)
exec "$@"
