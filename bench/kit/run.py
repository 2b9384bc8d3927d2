"""Times the networks of this kit on this device: ``python run.py``; ``--help`` says more."""

import os
import sys

if sys.version_info < (3, 9):
    sys.exit("error: this is Python %d.%d, and the kit needs 3.9 or later" % sys.version_info[:2])  # noqa: UP031
FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before anything else is imported
if os.path.isfile(os.path.join(FOLDER, "manifest.json")):  # noqa: PTH113, PTH118
    sys.path.insert(0, FOLDER)  # the modules beside this file, whatever else is installed

try:
    from bench.kit.device import main
except ImportError as error:
    sys.exit(f"error: {error}: numpy must be installed, and the whole kit copied (pip install numpy)")

if __name__ == "__main__":
    sys.exit(main(FOLDER))
