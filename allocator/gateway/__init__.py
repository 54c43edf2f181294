"""The gRPC shell: servicers between the contract and the runtime, and the server that runs them."""
