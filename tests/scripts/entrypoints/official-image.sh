#!/bin/sh
set -e
# first arg is an option: it is for the server
if [ "${1#-}" != "$1" ]; then
	set -- redis-server "$@"
fi
export X="$(cat /run/secrets/db_password)"
exec probe "x"
