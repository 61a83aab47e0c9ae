"""crlf

Revision ID: c
"""
revision = "c"
down_revision = "b"
x = """
"""
