"""What we know: values, tables, conversations. Imports nothing from the other layers."""
