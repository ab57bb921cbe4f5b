#!/bin/sh
export X="$(cat "/run/secrets/db_password")"
exec "$@"
