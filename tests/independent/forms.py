"""Which forms of code a test is for."""


def only(*forms):
    """Runs a test for these forms alone."""

    def mark(function):
        function.forms = forms
        return function

    return mark
