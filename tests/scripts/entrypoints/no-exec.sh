#!/bin/sh
export X=$(cat /run/secrets/db_password)
probe serve
