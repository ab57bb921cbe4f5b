#!/bin/sh
export X="$(cat ${SECRETS_DIR:-/run/secrets}/db_password)"
exec "$@"
