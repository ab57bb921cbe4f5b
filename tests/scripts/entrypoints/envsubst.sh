#!/bin/sh
export PW="$(cat /run/secrets/db_password)"
envsubst '${PW}' < /app/t.conf > /app/out.conf
exec "$@"
