"""The exceptions that reach a user as a message instead of a stack trace."""


class InputError(ValueError):
    """Something that the user gave is wrong: a file, a field, a configuration key, a model directory.

    The message says what is wrong, where (file, line, field) and what to do. The command line prints it and exits with
    code 2.
    """


class GaveUp(RuntimeError):
    """Work that may fail once failed on every attempt.

    The message names the work: the problem, the request, the workers. The command line prints it and exits with code
    1. Fix the cause and rerun the same command.
    """
