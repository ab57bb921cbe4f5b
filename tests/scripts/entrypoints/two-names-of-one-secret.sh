#!/bin/sh
PASS=$(cat /run/secrets/db_password)
export PGPASSWORD="$PASS"
export MYSQL_PWD=$PASS
exec "$@"
