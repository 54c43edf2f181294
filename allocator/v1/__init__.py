"""Generated from proto/allocator/v1 by `make proto`; never edited by hand."""
