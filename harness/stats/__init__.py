"""Statistics as pure functions on arrays; import the submodules (this file stays free of scipy)."""
