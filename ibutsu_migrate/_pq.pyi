"""PostgreSQL through libpq (``csrc/pq``, bound by ``csrc/py``)."""
