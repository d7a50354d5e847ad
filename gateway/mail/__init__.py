"""Mail that leaves the house: fixed texts, no patient's data, nobody's name."""
