"""Who somebody is, and what they may: the one chokepoint where a Grant is made."""
