"""How factors become arms, one module for each design."""
