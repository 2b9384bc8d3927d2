"""Model files as models: what runs them, and what they must say of themselves."""
