"""How a claim turns arms into one number per seed, one module for each measure."""
