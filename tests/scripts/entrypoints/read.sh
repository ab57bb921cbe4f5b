#!/bin/sh
read -r X < /run/secrets/db_password
export X
exec "$@"
