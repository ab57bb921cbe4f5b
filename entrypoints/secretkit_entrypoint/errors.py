"""The one exception of the shim."""


class ShimError(Exception):
    """One or more problems, each a single line that names what, where and the remedy.

    A problem never holds a secret's value. `status` is the exit status: 125 the shim itself
    failed, 126 the command was found but cannot be executed, 127 it was not found (the numbers
    of docker run, env(1) and the shell).
    """

    def __init__(self, *problems, **options):
        Exception.__init__(self, *problems)
        self.problems = problems
        self.status = options.get("status", 125)
