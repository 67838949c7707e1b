"""The exceptions that reach a user as a message instead of a stack trace."""


class InputError(ValueError):
    """Something that the user gave is wrong: a file, a field, a configuration key, a model directory.

    The message says what was wrong, where (file, line, field) and what to do. The command line prints it
    and exits with code 2; nothing has been written when it is raised.
    """


class GaveUp(RuntimeError):
    """Something that may fail now and then failed every time that it was tried.

    The message names it: the problem, the request, the workers. The command line prints it and exits with code 1; the
    same line goes on once the cause is gone.
    """
