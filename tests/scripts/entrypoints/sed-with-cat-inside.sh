#!/bin/sh
sed -i "s|<<db_password_value>>|$(cat /run/secrets/db_password)|" /app/whoami.conf
exec "$@"
