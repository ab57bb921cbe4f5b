#!/bin/sh
cp /run/secrets/ca.pem /app/ca.pem
cat /run/secrets/db_password > /app/pw
exec "$@"
