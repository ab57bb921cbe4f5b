#!/bin/sh
# the password
echo 'starting' # loud
printf 'x\n' >&2
export X=$(cat /run/secrets/db_password) # here
exec "$@" # end
