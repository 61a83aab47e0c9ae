"""Throwaway PostgreSQL servers and pytest fixtures."""
