"""The handbook's workflow on the Ibutsu Server's schema, told line by line."""
