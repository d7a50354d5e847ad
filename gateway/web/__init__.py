"""The pages: shells in two languages that say nothing of anybody, and the modules that fill them.

A page is the same for whoever asks. What it shows of a person comes from the API, in the browser,
with that person's session; so the API alone decides, and logs, who sees what.
"""
