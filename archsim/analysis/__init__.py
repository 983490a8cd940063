"""Questions to the cost engine about one network: totals of many designs, what moves them."""
