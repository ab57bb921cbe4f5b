#!/bin/sh
PW=`cat /run/secrets/db_password`
KEY=`cat /run/secrets/api-key`
sed -i.bak -e "s#@PW@#${PW}#g" -e "s#@KEY@#$KEY#" /app/app.conf
rm -f /app/app.conf.bak
exec "$@"
