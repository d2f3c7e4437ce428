"""The number of the file format, alone.

To change the format:

1. Add one to `FORMAT`.
2. Keep a file of the old format under `tests/files/`, written by the last release that wrote it.
3. Teach `model/file.py` to read the old number, or to refuse it with a message that names the release
   which can read it.  A file of a released format is never misread.
4. Say in `CHANGELOG.md` which releases read which formats.

A new *part* does not change the format: an older release refuses it by name.
"""

FORMAT = 1
