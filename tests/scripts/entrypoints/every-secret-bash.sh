#!/bin/bash
for file in /run/secrets/*
do
  [ -f "$file" ] || continue
  n=${file##*/}
  n=${n//[-.]/_}
  export APP_"${n^^}"="$(< "$file")"
done
exec "$@"
