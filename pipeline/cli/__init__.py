"""The command line: one file per command, thin over the other wings.

A new command is a new file here with ``PANEL``, ``HELP_ORDER`` and ``add_to`` (see ``app.CommandFile``), and its test;
``app`` finds it. Imports that take long stand inside the command's function, so that ``benchcast --help`` stays fast.
"""
