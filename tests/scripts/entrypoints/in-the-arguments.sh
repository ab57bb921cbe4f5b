#!/bin/sh
PW=$(cat /run/secrets/db_password)
exec probe --password "$PW" --key=$(cat /run/secrets/api-key)
