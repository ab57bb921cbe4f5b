"""Stack files: read, checked, resolved to current versions, deployed."""
