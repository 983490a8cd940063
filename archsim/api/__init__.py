"""What archsim does, one file per verb: the public functions and the commands call these."""

from archsim.util.shadow import check_shadowing

check_shadowing()
