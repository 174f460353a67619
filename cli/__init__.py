"""The ``archcost`` command. Installed as ``archcost.cli``.

Its modules import one another relatively, so that they are the same under both names.
"""
