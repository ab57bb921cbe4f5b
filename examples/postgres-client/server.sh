#!/bin/sh
# A database to log in to, in memory, where the secret is the password of the user app.
initdb -D /tmp/data -U app --pwfile /run/secrets/db-password -A scram-sha-256 >/dev/null &&
  exec postgres -D /tmp/data -k /tmp
