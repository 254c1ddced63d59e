"""Many methods on many data sets: ranks, places and what of them is settled; import the modules."""
