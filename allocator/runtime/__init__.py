"""The Ray shell: location actors with group commit, command batching, routing, change feed, read model."""
