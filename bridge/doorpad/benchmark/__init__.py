"""What the link costs: `doorpad bench`."""
