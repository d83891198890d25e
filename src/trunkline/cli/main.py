"""The command line's root: `trunkline COMMAND`."""
