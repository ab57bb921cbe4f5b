#!/bin/bash
if [[ -f /run/secrets/db_password ]]
then
  export X=$(</run/secrets/db_password)
fi
[[ ! -r /run/secrets/api-key ]] || { K=$(</run/secrets/api-key); export K; }
exec "$@"
