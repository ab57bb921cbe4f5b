"""The shim put into an image that there is: read it, decide, write a Dockerfile or build."""
