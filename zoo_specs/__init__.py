"""The zoo: one YAML file a family of architectures; no code."""
