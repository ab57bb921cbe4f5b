#!/bin/bash
export X="$(< /run/secrets/db_password)"
exec "$@"
