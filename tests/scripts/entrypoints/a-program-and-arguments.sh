#!/bin/sh
exec probe serve "$@"
