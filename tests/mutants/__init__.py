"""Wrong lines, and whether the tests notice: ``python -m tests.mutants``, or ``make mutants``."""
