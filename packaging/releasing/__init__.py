"""The steps of `packaging/release`."""
