"""The eager cost engine, recorded and compiled: no equation lives here.

``record`` runs the engine once over some designs and writes down the tensor operations, and what
of their content steered Python (guards). ``simplify`` leaves out what is repeated or not read,
``lower`` turns the rest into loops over views of buffers, ``loops`` puts them together, ``emit``
writes them in the language of LLVM, ``object_file`` compiles them and keeps the object in the
user's cache. ``program`` does all of it and holds the result against the eager engine; ``totals``
chooses the program for a batch. What cannot be recorded, compiled, loaded or trusted is computed by
the eager engine, and counted with the reason.
"""
