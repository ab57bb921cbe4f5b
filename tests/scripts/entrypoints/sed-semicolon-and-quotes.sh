#!/bin/sh
PW=$(cat /run/secrets/db_password)
KEY=$(cat /run/secrets/api-key)
sed -i 's/@PW@/'"$PW"'/g; s/@KEY@/'$KEY'/' /app/app.conf
exec "$@"
