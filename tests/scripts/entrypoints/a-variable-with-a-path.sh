#!/bin/sh
if [ -n "$X_FILE" ]; then
  export X="$(cat "$X_FILE")"
  unset X_FILE
fi
exec "$@"
