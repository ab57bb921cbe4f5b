#!/bin/bash
set -euo pipefail
load() {
  export X=$(cat /run/secrets/db_password)
}
main() {
  load
  exec "$@"
}
main "$@"
