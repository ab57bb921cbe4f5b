#!/bin/bash
declare -x X="$(cat /run/secrets/db_password)"
exec "$@"
