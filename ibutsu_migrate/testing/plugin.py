"""The pytest plugin: throwaway databases as fixtures."""
