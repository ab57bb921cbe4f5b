#!/bin/sh
for f in /run/secrets/*; do
  name=$(basename "$f" | tr '[:lower:]' '[:upper:]' | tr '.-' '__')
  export "$name=$(cat "$f")"
done
exec "$@"
