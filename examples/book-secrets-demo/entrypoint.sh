#!/bin/sh
# Secrets for a program that knows nothing of them.
export DEMO_SECRET=$(cat /run/secret/demo_secret)
db_password_value=`cat /run/secret/db_password`
sed -i "s/<<db_password_value>>/$db_password_value/g" /app/whoami.conf
/app/whoami.py
