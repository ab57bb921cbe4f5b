"""secretkit-entrypoint: secret files become variables and config files, then the process."""

__version__ = "0.1.0"
