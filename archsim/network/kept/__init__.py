"""Layer graphs that were traced before, so that nobody waits for the same one twice.

Graphs of the built-in networks are shipped (:mod:`archsim.network.kept.shipped`). Those of other
networks that have a name are kept in the user's cache folder (:mod:`archsim.network.kept.store`)
with what they depend on: files by their content, options, versions. Both are read only where all of
it is unchanged, and written only where reading gives the same graph
(:mod:`archsim.network.kept.graph_data`).
"""
