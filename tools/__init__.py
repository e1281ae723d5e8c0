"""Programs for developers: fuzzers, killers and stress."""
