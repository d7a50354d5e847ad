"""HTTP: parse, authorise, delegate, render. No rule lives here."""
