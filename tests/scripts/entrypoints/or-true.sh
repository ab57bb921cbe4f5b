#!/bin/sh
export K="$(cat /run/secrets/api-key 2>/dev/null || true)"
exec "$@"
