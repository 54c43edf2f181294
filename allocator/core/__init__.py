"""The domain: pure and deterministic. No I/O, no Ray, no gRPC, no clock, no randomness."""
