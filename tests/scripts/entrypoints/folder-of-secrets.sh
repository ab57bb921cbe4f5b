#!/bin/sh
if [ -d /run/secrets ]; then
  for f in /run/secrets/*; do
    if [ -f "$f" ]; then
      n=$(basename "$f" | tr 'a-z.-' 'A-Z__')
      export "$n=$(cat "$f")"
    fi
  done
fi
exec "$@"
