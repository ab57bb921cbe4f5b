"""What users put into images: the shim, and later baking, stack and compose files."""
