#!/bin/sh
export X=$(tr -d '\n' < /run/secrets/db_password)
exec "$@"
