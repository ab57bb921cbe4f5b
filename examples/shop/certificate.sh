#!/bin/sh
# A certificate for the current revprox_key, signed by itself. A real shop asks its CA here.
secretkit show revprox_key |
  openssl req -x509 -key /dev/stdin -days 90 -subj /CN=shop.example \
    -addext subjectAltName=DNS:shop.example
