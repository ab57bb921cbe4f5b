#!/bin/sh
PW=$(cat /run/secrets/db_password)
KEY=$(cat /run/secrets/api-key)
F=/app/app.conf
sed -i "s/@PW@/$PW/g" $F
sed -i "s/@KEY@/$KEY/g" $F
exec "$@"
