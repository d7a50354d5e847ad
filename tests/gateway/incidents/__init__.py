"""Tests of gateway.incidents."""
