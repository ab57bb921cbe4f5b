#!/bin/sh
PW=$(cat /run/secrets/db_password)
cat /app/whoami.conf | sed "s/<<db_password_value>>/$PW/g" > /app/out.conf
exec "$@"
