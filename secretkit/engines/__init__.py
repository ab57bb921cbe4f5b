"""Where services run. `load` gives the engine of a name."""
