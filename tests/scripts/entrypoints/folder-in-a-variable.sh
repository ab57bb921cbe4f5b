#!/bin/sh
DIR=/run/secrets
export X="$(cat "$DIR/db_password")"
exec "$@"
