#!/bin/sh
cp /app/whoami.conf /app/live.conf
sed -i "s/<<db_password_value>>/$(cat /run/secrets/db_password)/" /app/live.conf
exec "$@"
