"""The watch: it reads the access log as it grows, and tells people what they should look at.

Rules (`rules/`) are pure functions over the ordered log; `engine` feeds them and folds what they
find; nothing of either reads a clock, a database or a network. docs/watch.md is written from the
rules (`python -m gateway.watch.page`).
"""
