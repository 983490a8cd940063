"""Data of the user: functions, image folders, arrays and tokens, one form per file."""
