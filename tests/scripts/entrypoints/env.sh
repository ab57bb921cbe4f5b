#!/bin/sh
exec env X="$(cat /run/secrets/db_password)" probe "$@"
