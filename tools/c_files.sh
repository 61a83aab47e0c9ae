#!/usr/bin/env bash
# The C files that are written by hand or checked as if they were.
find csrc tests/c tests/fuzz -name '*.[ch]' 2>/dev/null | sort
