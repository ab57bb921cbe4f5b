#!/bin/sh
FILE=/run/secrets/api-key
if [ -r "$FILE" ]; then
  export K=$(cat $FILE)
fi
exec "$@"
