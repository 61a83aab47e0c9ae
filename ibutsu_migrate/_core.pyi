"""Revision files and revision graph in C (``csrc/core``, bound by ``csrc/py``)."""

def counters() -> dict[str, int]:
    """What this module has done since it was loaded, by name."""
