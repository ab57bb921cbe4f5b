#!/bin/sh
PW=$(cat /run/secrets/db_password)
cat > /app/out.conf <<EOF
[db]
  password = $PW
key = $(cat /run/secrets/api-key)
cost = \$5
EOF
exec "$@"
