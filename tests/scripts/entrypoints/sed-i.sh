#!/bin/sh
value=$(cat /run/secrets/db_password)
sed -i "s/<<db_password_value>>/$value/g" /app/whoami.conf
exec "$@"
