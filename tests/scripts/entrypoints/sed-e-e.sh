#!/bin/sh
PW=`cat /run/secrets/db_password`
KEY=`cat /run/secrets/api-key`
sed -i -e "s#@PW@#${PW}#g" -e "s#@KEY@#$KEY#" /app/app.conf
exec "$@"
