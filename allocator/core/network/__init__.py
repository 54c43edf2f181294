"""The network: locations, groups and where their ledgers live, as a deterministic state machine of its own."""
