#!/bin/sh
PW=$(cat /run/secrets/db_password)
sed "s/@PW@/$PW/g;s/@KEY@/x$PW/" /app/app.conf > /app/out.conf
chmod 600 /app/out.conf
exec "$@"
