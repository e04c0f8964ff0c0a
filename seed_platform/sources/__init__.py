"""Sources: what can arrive in a batch of repositories, and how each kind is read.

A source yields one repository and its files. It decides nothing about their worth: that is what filters are for.
"""
