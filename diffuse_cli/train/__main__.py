"""`torchrun ... -m diffuse_cli.train OPTIONS` is `diffuse train OPTIONS` in several processes."""

import sys

from ..cli.app import main

sys.argv.insert(1, "train")
main()
