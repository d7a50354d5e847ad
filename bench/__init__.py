"""What the parts of Kluis cost, measured against the least that they can."""
