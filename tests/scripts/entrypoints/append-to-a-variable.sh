#!/bin/bash
mode=--verbose
mode+=,--fast
PW=$(cat /run/secrets/db_password)
url="app:$PW"
url+="@db"
PW=none
exec probe "$mode" "$url"
