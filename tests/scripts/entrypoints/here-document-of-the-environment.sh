#!/bin/sh
PW=$(cat /run/secrets/db_password)
cat <<-EOF >/app/out.conf
	host = ${DB_HOST}
	password = ${PW}
	EOF
exec "$@"
