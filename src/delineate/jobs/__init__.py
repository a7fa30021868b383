"""Whole jobs, as the command line runs them: the rooms joined from end to end."""
