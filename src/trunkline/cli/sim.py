"""`trunkline sim carrier` and `sim realtime`: the two ends that cost money, simulated."""
