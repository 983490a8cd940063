"""``python -m archsim``: the same as the ``archsim`` command."""

from archsim.cli import main

if __name__ == "__main__":
    main()
