"""Results -> figures -> PNG, SVG, PDF (matplotlib) or interactive HTML (plotly)."""
