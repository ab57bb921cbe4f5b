#!/bin/sh
export X=$(cat /run/secrets/db_password | tr -d '\n')
exec "$@"
