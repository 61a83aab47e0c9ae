"""One run: lock, heads, plan, apply, verify. ``docs/design/runtime.md`` says how."""
