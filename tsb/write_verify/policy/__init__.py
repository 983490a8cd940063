"""The write policies, one file each; :mod:`tsb.write_verify.policy.registry` lists them."""
