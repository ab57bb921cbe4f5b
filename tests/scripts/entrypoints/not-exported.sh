#!/bin/sh
X=$(cat /run/secrets/db_password)
exec "$@"
