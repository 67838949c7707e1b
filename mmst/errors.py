"""The one exception that reaches a user as a message instead of a stack trace."""


class InputError(ValueError):
    """Something that the user gave is wrong: a file, a field, a configuration key, a model directory.

    The message says what was wrong, where (file, line, field) and what to do. The command line prints it
    and exits with code 2; nothing has been written when it is raised.
    """
