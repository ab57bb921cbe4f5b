"""The shim as a black box: what a process gets when it is started through it."""
