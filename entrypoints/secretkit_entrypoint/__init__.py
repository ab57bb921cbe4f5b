"""secretkit-entrypoint: secret files become variables and config files, then the process."""
