"""The read path against reference data: products, wires, and accuracies of LeNet-3."""
