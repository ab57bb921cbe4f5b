#!/bin/sh
file_env() {
  local var="$1" file="${1}_FILE"
  eval "path=\${$file:-}"
  if [ -n "$path" ]; then export "$var=$(cat "$path")"; unset "$file"; fi
}
file_env 'X'
file_env K
exec "$@"
