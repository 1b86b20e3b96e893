"""What a run will take before it is begun: measured here for half a minute, reckoned for machines that are not here."""
