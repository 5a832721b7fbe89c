"""Whole-system tests in Python: applications written for MSAL, the real daemon, and providers with a control API.

``programs/`` are the applications; ``world`` starts the daemon in folders of its own; ``providers`` starts the providers and
plays the person.
"""
