#!/bin/sh
export X=$(cat /run/secrets/db_password)
exec probe --port 80 "two words" '$x' \
  last
