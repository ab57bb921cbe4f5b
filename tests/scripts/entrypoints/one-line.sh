#!/bin/sh
X=$(cat /run/secrets/db_password); export X; exec "$@"
