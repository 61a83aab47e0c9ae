"""Flask: the extension object, the ``flask db`` group and the start-up gate."""
