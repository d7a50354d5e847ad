"""What decides: HTTP, rules, people, time. The only room that knows both `keys` and `storage`."""
