"""The mapping compiler: layers onto crossbars, tiles and chip, with the shared block."""
