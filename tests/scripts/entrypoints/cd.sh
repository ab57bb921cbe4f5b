#!/bin/sh
cd /app/
PW=$(cat /run/secrets/db_password)
sed -i "s/<<db_password_value>>/$PW/" whoami.conf
exec probe
