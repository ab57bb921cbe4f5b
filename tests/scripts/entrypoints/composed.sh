#!/bin/sh
PW=$(cat /run/secrets/db_password)
export URL="app:$PW@db"
export PW
exec probe "$URL"
