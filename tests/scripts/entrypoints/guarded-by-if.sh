#!/bin/sh
if [ -f /run/secrets/absent ]; then
  X=$(cat /run/secrets/absent)
  export X
fi
if test -s /run/secrets/api-key; then export K="$(cat /run/secrets/api-key)"; fi
exec "$@"
