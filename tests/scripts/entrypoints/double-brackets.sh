#!/bin/bash
if [[ -f /run/secrets/db_password && -r /run/secrets/api-key ]]
then
  export X=$(</run/secrets/db_password)
  export K=$(</run/secrets/api-key)
fi
exec "$@"
