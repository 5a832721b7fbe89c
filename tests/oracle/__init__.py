"""MSAL for Python as the oracle: one scenario, run by msal and by valetkey against one recording provider, must look the same.

A scenario (``scenarios/<group>/<name>.py``) is an application written for MSAL. ``run_one`` runs it in a process of its own
and prints what it asked of the provider and what it got; ``compare`` says where two such runs differ.
"""
