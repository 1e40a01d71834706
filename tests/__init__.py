"""Everything that proves a promise of this project."""
