"""The read path: what a chip computes when it reads, from input codes to converted column sums.

Input codes, bit planes, slices, groups of rows as the mapping cuts them, finite on/off ratio, noise
of reads, wires, converters. The names and the order of operations are those of docs/read-path.md.
"""
