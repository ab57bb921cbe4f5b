#!/bin/sh
PW=$(cat /run/secrets/db_password)
URL="app:$PW@db"
echo "[db]" > /app/out.conf
echo "password=$PW" >> /app/out.conf
printf 'url=%s\n100%%' "$URL" >> /app/out.conf
exec "$@"
