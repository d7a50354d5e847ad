"""The room that computes everything needing a secret; it knows no HTTP and no SQL."""
