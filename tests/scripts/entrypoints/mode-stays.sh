#!/bin/sh
set -o allexport
X=$(cat /run/secrets/db_password)
set +o allexport
y=$(cat /run/secrets/api-key)
echo "a=$X" > /app/out.conf
chmod 640 /app/out.conf
echo "b=$y" >> /app/out.conf
exec "$@"
